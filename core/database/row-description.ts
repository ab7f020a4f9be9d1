import type pg from 'pg';

/** The columns of a result, with what reads each. */
export interface RowDescription {
  readonly names: readonly string[];
  readonly parsers: readonly ((text: string) => unknown)[];
  /** Every column, in order, null: copying it is cheaper than adding one column after the other. */
  readonly empty: Readonly<Record<string, unknown>>;
  /** What JSON adds to the values of one row, where nothing is escaped. */
  readonly keysBytes: number;
}

export function describeRows(
  fields: readonly pg.FieldDef[],
  types: { getTypeParser(oid: number, format: 'text'): unknown },
): RowDescription {
  // A column may be called "__proto__".
  const empty = Object.create(null) as Record<string, unknown>;
  for (const { name } of fields) empty[name] = null;
  return {
    names: fields.map(({ name }) => name),
    parsers: fields.map(({ dataTypeID }) => types.getTypeParser(dataTypeID, 'text') as (text: string) => unknown),
    empty: { ...empty },
    keysBytes: Buffer.byteLength(JSON.stringify(empty)),
  };
}

/** @throws {Error} when the row does not have these columns, or a value cannot be read */
export function toRow(description: RowDescription | undefined, values: readonly (string | null)[]): unknown {
  if (description?.names.length !== values.length) throw new Error('the row has other columns than the statement');
  const { names, parsers, empty } = description;
  const row = { ...empty };
  for (let index = 0; index < names.length; index += 1) {
    const value = values[index];
    if (value !== null && value !== undefined) row[names[index] as string] = parsers[index]?.(value);
  }
  return row;
}
