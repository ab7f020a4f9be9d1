/** Methods that labels name. */
export const httpMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const;
/** OpenTelemetry's for all others: whoever asks could make up any. */
export const otherMethod = '_OTHER';

const known: ReadonlySet<string> = new Set(httpMethods);

export const toMethodLabel = (method: string): string => (known.has(method) ? method : otherMethod);
