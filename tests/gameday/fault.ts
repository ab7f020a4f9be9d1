import type { Labels } from './receiver.ts';
import type { System, SystemNeeds } from './system.ts';

/** One alert that a fault is to bring about. */
export interface Expected {
  readonly alert: string;
  /** That it must carry, `service` among them: whose it is. */
  readonly labels: Labels;
}

/** What a fault does besides, and why it may: each of these may call somebody. */
export interface Consequence {
  readonly alert: string;
  readonly because: string;
}

export interface Fault {
  /** For `--only`. */
  readonly name: string;
  /** What is done to the system, in one sentence. */
  readonly what: string;
  readonly expects: readonly Expected[];
  readonly consequences?: readonly Consequence[];
  readonly needs?: SystemNeeds;
  /** Seconds, of the clock on the wall, until the fault itself is there: beyond what the rule's windows take. @default 20 */
  readonly leadSeconds?: number;
  /** The same until it is gone. @default 30 */
  readonly recoverySeconds?: number;
  /** What must be there before anything is wrong. */
  readonly prepare?: (system: System) => Promise<void>;
  /** Begins it. @returns how to end it */
  readonly inject: (system: System) => Promise<() => Promise<void>>;
}
