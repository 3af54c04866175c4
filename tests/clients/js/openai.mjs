// Calls the server with OpenAI's package and prints the results as one JSON document.
// node openai.mjs URL
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const KEYS = { feedback_keys: ["user_liked"] };

const models = [];
for await (const model of client.models.list()) models.push(model.id);
const completion = await client.chat.completions.create({ model: "echoing", messages: user("Hello"), ...KEYS });
const [choice] = completion.choices;

let text = "";
let last;
const stream = await client.chat.completions.create({ model: "calling", messages: user("Hello"), stream: true, ...KEYS });
for await (const chunk of stream) {
  text += chunk.choices[0].delta.content ?? "";
  last = chunk.choices[0];
}
const asked = await client.chat.completions.create({ model: "asking", messages: user('{"question": "why?"}'), store: true });
const answered = await client.chat.completions.create({
  model: "asking",
  messages: user("because"),
  thread_id: asked.thread_id,
});

const events = [];
const responses = client.responses.stream({ model: "calling", input: "Hello", ...KEYS });
for await (const event of responses) events.push(event.type);
const response = await responses.finalResponse();
const next = await client.responses.create({ model: "echoing", input: "Again", previous_response_id: response.id });
const reason = ({ status, code, message }) => ({ status, code, message });
const failed = await client.chat.completions
  .create({ model: "failing", messages: user('{"question": "?"}') })
  .catch(reason);
const unknown = await client.models.retrieve("nothing").catch(({ status, code }) => ({ status, code }));

const gone = new AbortController();
const background = await client.responses.create({ model: "sleeping", input: '{"seconds": 50}', stream: true }, gone);
let sleeping;
for await (const event of background) {
  sleeping = event.response.id;
  gone.abort();
  break;
}
console.log(
  JSON.stringify({
    models,
    run_id: completion.id,
    content: choice.message.content,
    urls: choice.feedback,
    token: choice.feedback_token,
    text,
    finish: last.finish_reason,
    keys: Object.keys(last.feedback),
    asked: asked.choices[0].interrupts[0].value,
    answered: JSON.parse(answered.choices[0].message.content).answer,
    events: [events[0], events.at(-1)],
    output: response.output.map(({ content }) => content[0].text),
    responseKeys: Object.keys(response.feedback),
    next: next.output_text,
    failed,
    unknown,
    sleeping,
  }),
);
