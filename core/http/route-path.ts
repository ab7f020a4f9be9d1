import { AppError } from '#core/errors/app-error.ts';

const pathLengthMax = 256;
const segmentsMax = 16;
const literal = /^[A-Za-z0-9._~-]+$/;
const parameter = /^\{([a-z][A-Za-z0-9]{0,63})\}$/;

export interface RoutePath {
  /** As written: `/orders/{orderId}`. Used in metrics, spans and OpenAPI. */
  readonly template: string;
  /** Without the names: `/orders/{}`. Two routes of one shape answer the same requests. */
  readonly shape: string;
  readonly names: readonly string[];
}

/** @throws {AppError} INVALID_CALL */
export function parseRoutePath(template: string): RoutePath {
  const refuse = (what: string): never => {
    throw new AppError('INVALID_CALL', `Cannot register route "${template.slice(0, pathLengthMax)}": ${what}`);
  };
  if (!template.startsWith('/')) refuse('a path must begin with "/"');
  if (template.length > pathLengthMax)
    refuse(`a path must have at most ${pathLengthMax} characters: it has ${template.length}`);
  const segments = template.slice(1).split('/');
  if (segments.length > segmentsMax)
    refuse(`a path must have at most ${segmentsMax} segments: it has ${segments.length}`);
  const names: string[] = [];
  const shape = segments.map((segment) => {
    const name = parameter.exec(segment)?.[1];
    if (name === undefined) {
      if (segment === '.' || segment === '..' || !literal.test(segment)) {
        refuse(
          `segment "${segment}" must be letters, digits, ".", "_", "~", "-", or one parameter such as "{orderId}"`,
        );
      }
      return segment;
    }
    if (names.includes(name)) refuse(`parameter "{${name}}" stands in it twice`);
    names.push(name);
    return '{}';
  });
  return { template, shape: `/${shape.join('/')}`, names };
}
