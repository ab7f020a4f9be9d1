const pattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What is none is no id of a job, and Postgres need not be asked. */
export function isUuid(text: string): boolean {
  return pattern.test(text);
}
