/** What is known of an error code, whatever the case. */
export interface ErrorDescription {
  /** Of HTTP, where HTTP sees it. */
  readonly status: number;
  readonly title: string;
  readonly meaning: string;
  /** What whoever gets it does now. */
  readonly remedy: string;
}
