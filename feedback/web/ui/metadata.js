/** Filters by the runs' metadata: one for each declared name. The URL has a `metadata=name:value` for each. */

import { urlParameters } from "./address.js";

/** The start of the controls' names, before the name of the metadata. */
export const METADATA = "metadata ";
const SEVERAL = "*"; // the choice that stands for several values in the URL

/** The filters that are set: each name with its values, of which any may match. */
export function givenMetadata() {
  const pairs = urlParameters().getAll("metadata").filter((one) => one.includes(":")).map(parted);
  return [...Map.groupBy(pairs, ({ name }) => name)].map(([name, found]) => ({ name, values: found.map((one) => one.value) }));
}

/** The change of the URL that filters this name by this value, or by none if it is empty. */
export function changedMetadata(name, value) {
  if (value === SEVERAL) return {};
  const others = urlParameters().getAll("metadata").filter((one) => parted(one).name !== name);
  return { metadata: value ? [...others, `${name}:${value}`] : others };
}

/** A choice of a value for each name; `known` has the names with their values, `choice` makes a field. */
export function metadataFields(known, choice) {
  const given = new Map(givenMetadata().map(({ name, values }) => [name, values]));
  const values = new Map([...[...given.keys()].map((name) => [name, []]), ...known.map((one) => [one.name, one.values])]);
  return [...values].map(([name, all]) => field(name, all, given.get(name) ?? [], choice));
}

function field(name, all, given, choice) {
  const options = [["", "All"], ...all.map((value) => [value, value])];
  if (given.length > 1) return choice(name, METADATA + name, [[SEVERAL, given.join(" or ")], ...options], SEVERAL);
  return choice(name, METADATA + name, options, given[0] ?? "");
}

function parted(text) {
  const end = text.indexOf(":");
  return { name: text.slice(0, end), value: text.slice(end + 1) };
}
