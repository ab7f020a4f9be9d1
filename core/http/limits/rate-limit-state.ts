/** What the headers of an answer say of the caller's limits (draft-ietf-httpapi-ratelimit-headers-10). */
export interface RateLimitState {
  /** `RateLimit-Policy`. */
  readonly policy: string;
  /** `RateLimit`. */
  readonly state: string;
}
