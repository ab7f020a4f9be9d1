import type { Statement } from '#plugin-api';

/** Each costs memory in every connection of the plugin, and is a label. */
const namesMax = 200;

export interface StatementNames {
  /**
   * Whether the statement may be prepared and named in metrics. A name belongs to the first text that uses it; the
   * same name with another text, and names beyond the limit, run unprepared and count as `other`.
   */
  admit(plugin: string, statement: Statement): boolean;
}

export function createStatementNames(): StatementNames {
  const plugins = new Map<string, Map<string, string>>();
  return {
    admit(plugin, { name, text }) {
      const texts = plugins.getOrInsertComputed(plugin, () => new Map());
      const known = texts.get(name);
      if (known !== undefined) return known === text;
      if (texts.size >= namesMax) return false;
      texts.set(name, text);
      return true;
    },
  };
}
