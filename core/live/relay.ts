/** What one node tells the others of a channel. */
export type RelayMessage =
  /** `json` is the value as text. */
  | { readonly kind: 'value'; readonly json: string; readonly version: number | undefined }
  | { readonly kind: 'close'; readonly reason: string }
  | { readonly kind: 'recheck' };

/** Carries what is published on one node to the nodes that hold the sockets. */
export interface LiveRelay {
  /** Never throws and never waits: a value that cannot go is dropped and counted, the next one makes up for it. */
  send(channel: string, message: RelayMessage): void;
  /** Called for each message of another node, and when some may have been lost meanwhile. */
  listen(receiver: RelayReceiver): void;
}

export interface RelayReceiver {
  receive(channel: string, message: RelayMessage): void;
  /** Whether anybody here watches it: a message for nobody is not even read. */
  isWatched(channel: string): boolean;
  /** The way to the other nodes was interrupted. */
  onGap(): void;
}
