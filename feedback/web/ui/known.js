/** The filter choices: feedback keys with their kinds, and assistants with their names and versions. */

import { read } from "./api.js";

let keys = new Map();

/** The feedback key's `kind`, `low`, `high`, `title` and `has_direction`. */
export const keyNamed = (key) => keys.get(key);

/** All choices with feedback, independent of the filters. */
export async function readKnown(signal) {
  const [choices, projects] = await Promise.all([read("feedback/choices", "", signal), read("feedback/projects", "", signal)]);
  const { assistants, sources } = choices;
  const labels = labelled(assistants);
  keys = new Map(choices.keys.map((one) => [one.key, one]));
  return {
    projects,
    sources,
    metadata: choices.metadata,
    hasFeedback: choices.has_feedback,
    keys: [...keys.keys()].sort((a, b) => a.localeCompare(b)),
    titleOf: (key) => keys.get(key)?.title ?? key,
    assistants: assistants.map((one) => ({ id: one.assistant_id, label: labels.get(one.assistant_id) })),
    versionsOf: (assistant) => unique(assistants.filter((one) => !assistant || one.assistant_id === assistant).flatMap((one) => one.versions)).sort((a, b) => b - a),
    nameOf: (assistant) => labels.get(assistant) ?? short(assistant),
  };
}

const unique = (all) => [...new Set(all)];

/** The assistants' names; shared or missing names are distinguished by the start of the id. */
function labelled(assistants) {
  const named = (one) => one.name ?? one.assistant_id;
  const label = (one) => {
    const name = one.name ?? short(one.assistant_id);
    const isShared = assistants.some((other) => other !== one && named(other) === named(one));
    return isShared ? `${name} ${short(one.assistant_id)}` : name;
  };
  return new Map(assistants.map((one) => [one.assistant_id, label(one)]));
}

const short = (id) => (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(id) ? id.slice(0, 8) : id);
