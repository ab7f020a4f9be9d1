import type { Route, UploadForm } from '../route.ts';
import type { OperationExample } from './operation-example.ts';

/** In the page until the address is known under which it was asked for. */
export const originMark = '__ORIGIN__';

/** Works when it is pasted into a shell that has the role's token, `$OPS_TOKEN` say. */
export function toCurl(route: Route, example: OperationExample): string {
  const parts = [
    `curl -s ${quote(`${originMark}${toTarget(route, example)}`)}`,
    ...(route.verb === 'GET' ? [] : [`-X ${route.verb}`]),
    ...toCredentials(route),
    ...toBody(route, example),
  ];
  return parts.join(' \\\n  ');
}

/** Path and query with values in place of the names. */
export function toTarget(route: Route, { params, query }: Pick<OperationExample, 'params' | 'query'>): string {
  const path = route.path.template.replaceAll(/\{(\w+)\}/g, (_whole, name: string) =>
    encodeURIComponent(toText(params[name] ?? 'example')),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) search.append(name, toText(each));
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

export function tokenVariable(role: string): string {
  return `${role.toUpperCase()}_TOKEN`;
}

function toCredentials({ roles }: Route): readonly string[] {
  if (roles === 'public') return [];
  if (roles === 'device') return ['-u "$DEVICE_USERNAME:$DEVICE_PASSWORD"'];
  return [`-H "Authorization: Bearer $${tokenVariable(preferredRole(roles))}"`];
}

/** Ops may do most with what does not exist yet; who books is named first. */
export function preferredRole(roles: readonly string[]): string {
  return roles[0] ?? 'ops';
}

function toBody(route: Route, { body }: OperationExample): readonly string[] {
  if (route.upload !== undefined) return toUploadedBody(route.upload, body);
  if (body === undefined) return [];
  const text =
    typeof body.value === 'string' && route.bodyAs === 'text' ? body.value : JSON.stringify(body.value, null, 2);
  return ["-H 'Content-Type: application/json'", `-d ${quote(text)}`];
}

/** A file of the first type that is taken, or one line. */
function toUploadedBody({ as, contentTypes }: UploadForm, body: OperationExample['body']): readonly string[] {
  const [contentType = ''] = contentTypes;
  const typed = `-H ${quote(`Content-Type: ${contentType}`)}`;
  if (as === 'bytes') return [typed, `--data-binary @file.${contentType.replace(/^.*\//, '')}`];
  return body === undefined ? [] : [typed, `--data-binary ${quote(JSON.stringify(body.value))}`];
}

/** Between single quotes a shell changes nothing; a single quote itself stands outside of them. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** As it stands in a path, a query or a field. */
export function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
