/** What the core and its spawner tell each other. `end` comes four times, each with a socket, before its `spawn`. */
export type SpawnerRequest =
  | { readonly t: 'end'; readonly id: number }
  | {
      readonly t: 'spawn';
      readonly id: number;
      readonly file: string;
      readonly args: readonly string[];
      readonly cwd: string;
    }
  | { readonly t: 'kill'; readonly id: number; readonly signal: NodeJS.Signals };

export type SpawnerReport =
  | { readonly t: 'spawned'; readonly id: number; readonly pid: number }
  | { readonly t: 'failed'; readonly id: number; readonly message: string }
  | {
      readonly t: 'exited';
      readonly id: number;
      readonly exitCode: number | null;
      readonly signal: NodeJS.Signals | null;
    };
