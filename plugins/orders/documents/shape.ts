/** What a file is beyond its first bytes: a picture of a size, or no picture; or what is wrong with it. */
export type Shape =
  | { readonly width: number; readonly height: number }
  | { readonly width: null; readonly height: null }
  | { readonly broken: string };

/** More than any camera makes: a header that says more is made up. */
const sideMax = 30_000;

export function sized(width: number, height: number): Shape {
  const isPlausible = width > 0 && height > 0 && width <= sideMax && height <= sideMax;
  return isPlausible ? { width, height } : { broken: `its size cannot be ${width} × ${height}` };
}
