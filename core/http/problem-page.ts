import { Type, type Static } from 'typebox';
import { errorCodes } from '#core/errors/codes.ts';
import type { ErrorDescription } from '#core/errors/error-description.ts';
import { createHtmlPage, escapeHtml } from './html-page.ts';
import { problemType } from '#core/errors/problem-type.ts';
import type { Route } from './route.ts';

/** What the `type` of a problem leads to. */
export const ProblemPage = Type.Object(
  {
    type: Type.String({ format: 'uri-reference' }),
    code: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    title: Type.String(),
    owner: Type.String({ description: 'core, or the plugin that answers it' }),
    meaning: Type.String(),
    remedy: Type.String({ description: 'What to do' }),
  },
  { additionalProperties: false },
);
export type ProblemPage = Static<typeof ProblemPage>;

const coreCodes: Readonly<Record<string, ErrorDescription>> = errorCodes;

/**
 * The code behind `/problems/<slug>`: one of the core, or one that a plugin has answered on this node. Plugins choose
 * their codes while they run, so there is no list of those.
 */
export function findProblemPage(slug: string, routes: readonly Route[]): ProblemPage | undefined {
  const code = slug.toUpperCase().replaceAll('-', '_');
  const type = problemType(code);
  const known = Object.hasOwn(coreCodes, code) ? coreCodes[code] : undefined;
  if (known !== undefined) return { type, code, owner: 'core', ...known };
  const route = routes.find(({ problems }) => problems.has(code));
  const answered = route?.problems.get(code);
  if (route === undefined || answered === undefined) return undefined;
  const owner = route.owner.name;
  return {
    type,
    code,
    owner,
    ...answered,
    meaning: `The plugin "${owner}" refuses the request so; the problem's detail says what was wrong in this case.`,
    remedy: `Do what the detail says would be right; the README of the plugin "${owner}" lists its codes.`,
  };
}

export function toProblemHtml(page: ProblemPage): string {
  const rows = [
    ['Status', String(page.status)],
    ['From', page.owner],
    ['What it means', page.meaning],
    ['What to do', page.remedy],
  ] as const;
  const table = rows.map(([name, text]) => `<tr><td>${name}</td><td>${escapeHtml(text)}</td></tr>`).join('');
  const heading = `<h1>${escapeHtml(page.title)}</h1><p><code>${escapeHtml(page.code)}</code></p>`;
  return createHtmlPage({ title: `${page.code}: ${page.title}`, body: `${heading}<table>${table}</table>` });
}
