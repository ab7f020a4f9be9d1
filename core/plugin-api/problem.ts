/** Part of the plugin API: what an answer says that is an error. */

/** RFC 9457 problem details. `code` is stable and documented; `detail` says what was wrong and what would be right. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly [extension: string]: unknown;
}
