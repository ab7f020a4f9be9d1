const units = [
  [1_073_741_824, 'GiB'],
  [1_048_576, 'MiB'],
  [1024, 'KiB'],
] as const;

/** A limit as people read it, and exact: `5 MiB`, where it is no whole number of them `5000000 bytes`. */
export function toSizeText(bytes: number): string {
  const [unitBytes, unit] = units.find(([each]) => bytes >= each && bytes % each === 0) ?? [1, 'bytes'];
  return `${bytes / unitBytes} ${unit}`;
}
