/** Shows the OpenAPI document in Swagger UI, with a search over paths, summaries and descriptions. */

const root = document.getElementById("docs");

/** Return the tags with the operations that contain every word of the phrase; Swagger UI's own filter only knows tags. */
function matching(tagged, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const contains = (tag) => (operation) => {
    const text = textOf(tag, operation);
    return words.every((word) => text.includes(word));
  };
  return tagged
    .map((group, tag) => group.update("operations", (operations) => operations.filter(contains(tag))))
    .filter((group) => group.get("operations").size > 0);
}

function textOf(tag, one) {
  const operation = one.get("operation");
  const parts = [tag, one.get("method"), one.get("path"), operation.get("summary"), operation.get("description")];
  return parts.join(" ").toLowerCase();
}

/** Open every group while the page shows what a phrase finds, and close them when the field is empty. */
function opening(search, system) {
  return (phrase) => {
    for (const tag of system.specSelectors.taggedOperations().keys()) {
      system.layoutActions.show(["operations-tag", tag], Boolean(phrase));
    }
    return search(phrase);
  };
}

/** Label the search field. */
function label() {
  const field = root.querySelector(".operation-filter-input");
  if (field && field.placeholder !== "Search") {
    field.placeholder = "Search";
    field.setAttribute("aria-label", "Search paths, summaries and descriptions");
  }
}

new MutationObserver(label).observe(root, { childList: true, subtree: true });

window.SwaggerUIBundle({
  domNode: root,
  url: root.dataset.document,
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null, // it would send the document to another host
  plugins: [() => ({ fn: { opsFilter: matching }, statePlugins: { layout: { wrapActions: { updateFilter: opening } } } })],
});
