/** MQTT topics and filters (MQTT 3.1.1 §4.7): what is well formed, what matches, and which filter contains which. */

const topicMaxBytes = 65_535;
/** The broker's matcher takes no more; deeper topics are refused everywhere alike. */
const levelsMax = 100;

function isWellFormed(text: string): boolean {
  return (
    text !== '' &&
    !text.includes('\0') &&
    Buffer.byteLength(text) <= topicMaxBytes &&
    text.split('/').length <= levelsMax &&
    text.isWellFormed()
  );
}

/** A topic that a message can be published to: without wildcards. */
export function isTopic(text: string): boolean {
  return isWellFormed(text) && !/[+#]/.test(text);
}

/** A filter that can be subscribed to: `+` and `#` stand for whole levels, `#` only for the last. */
export function isTopicFilter(text: string): boolean {
  if (!isWellFormed(text)) return false;
  const levels = text.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    return level === '+' || !/[+#]/.test(level);
  });
}

/** A wildcard in the first level does not match topics of the server's own, which begin with `$` [MQTT-4.7.2-1]. */
function hidesReserved(firstFilterLevel: string | undefined, firstTopicLevel: string | undefined): boolean {
  return (firstFilterLevel === '#' || firstFilterLevel === '+') && firstTopicLevel?.startsWith('$') === true;
}

/** Whether a message on this topic is for a subscriber of this filter. */
export function filterMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const filterLevels = filter.split('/');
  const topicLevels = topic.split('/');
  if (hidesReserved(filterLevels[0], topicLevels[0])) return false;
  for (const [index, level] of filterLevels.entries()) {
    // "a/#" also matches "a" itself [MQTT-4.7.1-2].
    if (level === '#') return true;
    if (index >= topicLevels.length) return false;
    if (level !== '+' && level !== topicLevels[index]) return false;
  }
  return filterLevels.length === topicLevels.length;
}

/** Whether every topic that `inner` matches is matched by `outer` as well. A topic is a filter that matches itself. */
export function filterContains(outer: string, inner: string): boolean {
  // "+/#" asks for at least one level, and every topic has one.
  const outerLevels = outer === '+/#' ? ['#'] : outer.split('/');
  const innerLevels = inner.split('/');
  if (hidesReserved(outerLevels[0], innerLevels[0])) return false;
  for (const [index, level] of outerLevels.entries()) {
    if (level === '#') return true;
    const innerLevel = innerLevels[index];
    if (innerLevel === undefined || innerLevel === '#') return false;
    if (level !== '+' && level !== innerLevel) return false;
  }
  return outerLevels.length === innerLevels.length;
}
