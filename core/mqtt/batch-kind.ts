import { lanes, type Lane } from './fair-queue.ts';

/** What a batch is made of: messages of one lane, or one that is tried by itself. */
export type Kind = Lane | 'apart';
export const kinds: readonly Kind[] = ['apart', ...lanes];

/** What is under way of one kind. */
export interface KindState {
  /** Of its next batch. */
  timer: NodeJS.Timeout | undefined;
  batches: number;
  /** Messages of them that have not been settled. */
  handedOver: number;
}

export function createKindStates(): Readonly<Record<Kind, KindState>> {
  const idle = (): KindState => ({ timer: undefined, batches: 0, handedOver: 0 });
  return { apart: idle(), prompt: idle(), backlog: idle() };
}

export function clearTimer(state: KindState): void {
  clearTimeout(state.timer);
  state.timer = undefined;
}
