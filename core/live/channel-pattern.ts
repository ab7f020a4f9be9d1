/** A channel pattern such as `orders/{orderId}/position`: segments, some of them named. */
export interface ChannelPattern {
  readonly pattern: string;
  /** The same for all patterns that match the same channels: their named segments have no names in it. */
  readonly shape: string;
  /** The named segments' values, or null when the channel does not match. */
  match(channel: string): Readonly<Record<string, string>> | null;
}

const segmentForm = /^(?:[a-z0-9-]{1,64}|\{[a-zA-Z][a-zA-Z0-9]{0,31}\})$/;
/** What a client may ask for: ids and words, nothing that a path (`..`), a topic or a log could read otherwise. */
const channelForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}){0,7}$/;

export function isChannel(channel: string): boolean {
  return channelForm.test(channel);
}

/** @throws {RangeError} when the pattern has another form */
export function parseChannelPattern(pattern: string): ChannelPattern {
  const segments = pattern.split('/');
  if (segments.length > 8 || !segments.every((segment) => segmentForm.test(segment))) {
    throw new RangeError(
      `Channel pattern must be up to 8 segments such as "orders/{orderId}/position": it is "${pattern.slice(0, 200)}"`,
    );
  }
  return {
    pattern,
    shape: segments.map((segment) => (segment.startsWith('{') ? '{}' : segment)).join('/'),
    match(channel) {
      const values = channel.split('/');
      if (values.length !== segments.length) return null;
      const params: Record<string, string> = {};
      for (const [index, segment] of segments.entries()) {
        const value = values[index] ?? '';
        if (segment.startsWith('{')) params[segment.slice(1, -1)] = value;
        else if (segment !== value) return null;
      }
      return params;
    },
  };
}
