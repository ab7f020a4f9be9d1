/** The text behind `--name=` on the command line of a benchmark. */
export function textFlag(name: string): string | undefined {
  const prefix = `--${name}=`;
  return process.argv.find((flag) => flag.startsWith(prefix))?.slice(prefix.length);
}

/** The number behind `--name=` on the command line of a benchmark. */
export function numberFlag(name: string, fallback: number): number {
  const text = textFlag(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`Cannot use --${name}: "${text}" is no number`);
  return value;
}
