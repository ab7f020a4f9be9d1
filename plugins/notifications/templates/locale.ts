import { german } from './de.ts';
import { english } from './en.ts';
import { spanish } from './es.ts';
import type { Language } from './template.ts';

const languages: Readonly<Record<string, Language>> = { en: english, de: german, es: spanish };

export const languageNames: readonly string[] = Object.keys(languages);

/** `de-AT` → `de-AT`, `de`, `en`: the nearest that there may be, and at last the one that there is. */
export function fallbackChain(locale: string): readonly string[] {
  const parts = locale.split('-');
  const chain = parts.map((_part, index) => parts.slice(0, parts.length - index).join('-'));
  return [...new Set([...chain, 'en'])];
}

/** The language for a locale, and the locale to write times and amounts in. */
export function findLanguage(locale: string): { readonly language: Language; readonly locale: string } {
  for (const name of fallbackChain(locale)) {
    const language = Object.hasOwn(languages, name) ? languages[name] : undefined;
    // `de-AT` keeps its ways with dates; words in English do not get French ones.
    if (language !== undefined) return { language, locale: locale.startsWith(name) ? locale : name };
  }
  return { language: english, locale: 'en' };
}
