// Which events hang on each component, of a list of events that never changes (ui/mends.py).
const eventsByList = new WeakMap();
function attachedEvents(list, id) {
  if (!eventsByList.has(list)) eventsByList.set(list, allAttachedEvents(list));
  return [...(eventsByList.get(list).get(id) ?? [])];
}
function allAttachedEvents(list) {
  const events = new Map();
  for (const { targets } of list) {
    // Of each event its first target only, as Gradio does.
    const first = new Map(targets.toReversed());
    for (const [id, name] of first) {
      if (name) events.set(id, [...(events.get(id) ?? []), name]);
    }
  }
  return events;
}
