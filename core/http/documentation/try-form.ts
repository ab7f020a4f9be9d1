import { escapeHtml } from '../html-page.ts';
import type { Route, UploadForm } from '../route.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import { isBinary } from '../streamed-type.ts';
import { toText } from './curl-command.ts';
import type { OperationExample } from './operation-example.ts';
import { toSizeText } from './size-text.ts';

const rowsMax = 24;

export interface TryFormOptions {
  readonly example: OperationExample;
  /** Of a body of lines. */
  readonly linesMaxBytes: number;
}

/** Filled in and sent by the page's script; without it the command above does the same. */
export function toTryHtml(route: Route, { example, linesMaxBytes }: TryFormOptions): string {
  if (route.roles === 'device') return '';
  const fields = [
    ...route.path.names.map((name) => toFieldHtml('path', name, example.params[name])),
    ...namesOf(route.query).map((name) => toFieldHtml('query', name, example.query[name])),
    route.upload === undefined ? toBodyHtml(route, example) : toUploadHtml(route.upload, { example, linesMaxBytes }),
  ];
  return `<form class="try" hidden data-verb="${route.verb}" data-path="${escapeHtml(route.path.template)}"${toBinaryAttribute(route)}>${fields.join('')}<button>Send</button><output></output></form>`;
}

/** Content types of answers that are no text. */
function toBinaryAttribute({ streams }: Route): string {
  const types = streams.filter(isBinary);
  return types.length === 0 ? '' : ` data-binary="${escapeHtml(types.join(' '))}"`;
}

const namesOf = (check: SchemaCheck | undefined): readonly string[] => Object.keys(check?.schema['properties'] ?? {});

function toFieldHtml(place: 'path' | 'query', name: string, value: unknown): string {
  return `<label><span>${escapeHtml(name)}</span><input name="${escapeHtml(name)}" data-in="${place}" value="${escapeHtml(value === undefined ? '' : toText(value))}"></label>`;
}

function toBodyHtml({ body: check, bodyAs }: Route, { body }: OperationExample): string {
  if (check === undefined) return '';
  if (body === undefined) return toAreaHtml('Body', '');
  return toAreaHtml('Body', bodyAs === 'text' ? String(body.value) : JSON.stringify(body.value, null, 2));
}

function toAreaHtml(title: string, text: string): string {
  return `<label><span>${title}</span><textarea name="body" rows="${Math.min(rowsMax, text.split('\n').length + 1)}" spellcheck="false">${escapeHtml(text)}</textarea></label>`;
}

/** A file as one of the route's types; lines may as well be written here. */
function toUploadHtml(upload: UploadForm, { example: { body }, linesMaxBytes }: TryFormOptions): string {
  const types = upload.contentTypes.map(escapeHtml);
  if (upload.as === 'bytes') {
    return [
      toFileHtml('File', { accept: types.join(','), bytesMax: upload.bytesMax, about: '' }),
      `<label><span>Type</span><select class="media-type">${types.map((type) => `<option>${type}</option>`).join('')}</select></label>`,
    ].join('');
  }
  // Browsers know none of these types, so a file of lines is told by nothing, and is sent as the first.
  return [
    toAreaHtml('Lines', body === undefined ? '' : JSON.stringify(body.value)),
    toFileHtml('or a file', { accept: '', bytesMax: linesMaxBytes, about: ', in place of the lines' }),
    `<input type="hidden" class="media-type" value="${types[0]}">`,
  ].join('');
}

interface FileField {
  readonly accept: string;
  readonly bytesMax: number;
  readonly about: string;
}

function toFileHtml(title: string, { accept, bytesMax, about }: FileField): string {
  const accepts = accept === '' ? '' : ` accept="${accept}"`;
  const size = toSizeText(bytesMax);
  return `<label><span>${title}</span><span class="file"><input type="file" name="file"${accepts} data-bytes-max="${bytesMax}" data-size-max="${size}"><small>of at most ${size}${about}</small></span></label>`;
}
