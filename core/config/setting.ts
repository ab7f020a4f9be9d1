/** One setting: where it comes from, its default and how its text is read. */
export interface Setting<T> {
  readonly variable: string;
  readonly fallback: T;
  readonly description: string;
  /** Throws a RangeError that says what the text is and what it must be. */
  parse(value: string): T;
}

/** With `oneOf` one of these words. */
export function text<const T extends string = string>(
  variable: string,
  fallback: NoInfer<T>,
  { description, ...options }: { readonly description: string; readonly oneOf?: readonly T[] },
): Setting<T> {
  return {
    variable,
    fallback,
    description,
    parse(value) {
      if (options.oneOf !== undefined && !(options.oneOf as readonly string[]).includes(value)) {
        throw new RangeError(`${variable} must be one of ${options.oneOf.join(', ')}: it is "${value}"`);
      }
      return value as T;
    },
  };
}

export function integer(
  variable: string,
  fallback: number,
  limits: { readonly description: string; readonly min?: number; readonly max?: number },
): Setting<number> {
  const { description, min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
  return {
    variable,
    fallback,
    description,
    parse(value) {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) {
        const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
        throw new RangeError(`${variable} must be a whole number ${range}: it is "${value}"`);
      }
      return number;
    },
  };
}

export function ratio(variable: string, fallback: number, description: string): Setting<number> {
  return {
    variable,
    fallback,
    description,
    parse(value) {
      const number = /^\d*\.?\d+$/.test(value) ? Number(value) : Number.NaN;
      if (!(number > 0 && number <= 1))
        throw new RangeError(`${variable} must be above 0 and at most 1: it is "${value}"`);
      return number;
    },
  };
}

/** A ratio that may be 0, which is none. */
export function share(variable: string, fallback: number, description: string): Setting<number> {
  const aboveZero = ratio(variable, fallback, description);
  return {
    variable,
    fallback,
    description,
    parse(value) {
      if (/^0*\.?0+$/.test(value)) return 0;
      try {
        return aboveZero.parse(value);
      } catch (error) {
        throw new RangeError(`${variable} must be from 0 to 1: it is "${value}"`, { cause: error });
      }
    },
  };
}

/** Comma-separated names; empty is `[]`. */
export function list(variable: string, description: string): Setting<readonly string[]> {
  return {
    variable,
    fallback: [],
    description,
    parse: (value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
  };
}

/** A URL with one of these protocols, or null when it is not set. Its credentials never reach a message. */
export function url(variable: string, protocols: readonly string[], description: string): Setting<string | null> {
  return {
    variable,
    fallback: null,
    description,
    parse(value) {
      const parsed = URL.parse(value);
      if (parsed === null || !protocols.includes(parsed.protocol)) {
        const forms = protocols.map((protocol) => `${protocol}//…`).join(' or ');
        throw new RangeError(
          `${variable} must be a URL such as ${forms}: it is ${parsed === null ? 'not a URL' : `a ${parsed.protocol} URL`}`,
        );
      }
      return value;
    },
  };
}
