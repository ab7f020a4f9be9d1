/** A plugin's schema: its name with underscores. */
export function toSchema(plugin: string): string {
  return plugin.replaceAll('-', '_');
}

/** A plugin's login role. */
export function toRole(plugin: string): string {
  return `returnit_${toSchema(plugin)}`;
}

/** For statements that take no parameters, such as `create role`. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(value: string): string {
  if (value.includes('\\')) throw new TypeError('A literal with a backslash needs a parameter');
  return `'${value.replaceAll("'", "''")}'`;
}
