import { escapeHtml } from '../html-page.ts';
import type { JsonSchema } from '../schema-policy.ts';

const depthMax = 12;
const valuesShownMax = 20;

/** A schema as nested lists: names, types, what is allowed and what it is for. */
export function toSchemaHtml(schema: unknown): string {
  return isSchema(schema) ? describeBody(schema, 0) : '';
}

function describeBody(schema: JsonSchema, depth: number): string {
  const shape = shapeOf(schema);
  const rows = Object.entries(shape.properties).map(([name, property]) =>
    toRow(name, property, { isRequired: shape.required.has(name), depth }),
  );
  if (rows.length === 0) return depth === 0 ? `<p class="type">${typeText(schema)}${limitsText(schema)}</p>` : '';
  const what = depth === 0 && shape.isList ? '<p class="type">a list of</p>' : '';
  return `${what}<ul class="schema">${rows.join('')}</ul>`;
}

function toRow(
  name: string,
  property: unknown,
  { isRequired, depth }: { readonly isRequired: boolean; readonly depth: number },
): string {
  const schema = isSchema(property) ? property : {};
  const inner = depth < depthMax ? describeBody(schema, depth + 1) : '';
  const { description } = schema;
  return [
    `<li><code class="name">${escapeHtml(name)}</code> <span class="type">${typeText(schema)}${limitsText(schema)}</span>`,
    isRequired ? ' <span class="required">required</span>' : '',
    typeof description === 'string' ? ` <span class="about">${escapeHtml(description)}</span>` : '',
    inner,
    '</li>',
  ].join('');
}

interface Shape {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required: ReadonlySet<string>;
  readonly isList: boolean;
}

/** The properties of an object, of a list's items, or of what may be such an object or null. */
function shapeOf(schema: JsonSchema): Shape {
  const { items } = schema;
  if (isSchema(items)) return { ...shapeOf(items), isList: true };
  const parts = ['allOf', 'anyOf', 'oneOf'].flatMap(
    (keyword) => (schema[keyword] as readonly unknown[] | undefined) ?? [],
  );
  const all = [schema, ...parts.filter(isSchema)];
  return {
    properties: Object.assign({}, ...all.map((part) => part['properties'] ?? {})) as Shape['properties'],
    required: new Set(all.flatMap((part) => (part['required'] as readonly string[] | undefined) ?? [])),
    isList: false,
  };
}

export function typeText(schema: JsonSchema): string {
  const {
    type,
    format,
    items,
    enum: values,
  } = schema as {
    readonly type?: unknown;
    readonly format?: unknown;
    readonly items?: unknown;
    readonly enum?: readonly unknown[];
  };
  if (Array.isArray(values)) {
    const shown = values
      .slice(0, valuesShownMax)
      .map((value) => `<code>${escapeHtml(JSON.stringify(value) ?? '')}</code>`);
    return `${shown.join(' ')}${values.length > valuesShownMax ? ' …' : ''}`;
  }
  if ('const' in schema) return `<code>${escapeHtml(JSON.stringify(schema['const']) ?? '')}</code>`;
  const alternatives = [schema['anyOf'], schema['oneOf']].find(Array.isArray) as readonly unknown[] | undefined;
  if (alternatives !== undefined) {
    return [...new Set(alternatives.map((each) => (isSchema(each) ? typeText(each) : 'any')))].join(' or ');
  }
  if (isSchema(items)) return `list of ${typeText(items)}`;
  if (typeof format === 'string') return escapeHtml(format);
  if (Array.isArray(type)) return type.map(String).map(escapeHtml).join(' or ');
  return typeof type === 'string' ? escapeHtml(type) : 'properties' in schema ? 'object' : 'any';
}

export function limitsText(schema: JsonSchema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  const ranges = [
    toRange(minimum, maximum, ''),
    toRange(minLength, maxLength, ' characters'),
    toRange(minItems, maxItems, ' items'),
    'default' in schema ? `default ${JSON.stringify(schema['default'])}` : '',
  ].filter((text) => text !== '');
  const shown = ranges.length === 0 ? '' : ` <span class="limits">${escapeHtml(ranges.join(', '))}</span>`;
  if (typeof pattern !== 'string') return shown;
  // What keeps control characters out says to a person no more than this.
  if (pattern.includes(String.raw`\u00`)) return `${shown} <span class="limits">one line of text</span>`;
  return `${shown} <code class="pattern">${escapeHtml(pattern)}</code>`;
}

function toRange(from: unknown, to: unknown, unit: string): string {
  const [least, most] = [from, to].map((bound) => (typeof bound === 'number' ? String(bound) : undefined));
  if (least === undefined) return most === undefined ? '' : `up to ${most}${unit}`;
  return most === undefined ? `from ${least}${unit}` : `${least} to ${most}${unit}`;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
