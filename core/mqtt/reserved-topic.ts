/** Topics below it are the nodes' own: no device and no plugin publishes or hears there. */
export const reservedLevel = 'returnit';

/** Where nodes tell each other live values. */
export const liveTopicPrefix = `${reservedLevel}/live`;

/** Where a node tells itself how far it has read. */
export const nodeTopicPrefix = `${reservedLevel}/nodes`;

/** Whether a topic is reserved, or a filter reaches into what is. */
export function isReserved(topicOrFilter: string): boolean {
  const [first] = topicOrFilter.split('/', 1);
  return first === reservedLevel || first === '#' || first === '+';
}
