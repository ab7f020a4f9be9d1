interface MediaRange {
  readonly range: string;
  readonly quality: number;
}

/** RFC 9110, section 12.5.1: HTML for who prefers it to JSON, as browsers do; JSON for everybody else. */
export function prefersHtml(accept: string | undefined): boolean {
  const ranges = (accept ?? '*/*').split(',', rangesMax).map(toRange);
  const json = Math.max(qualityOf('application', 'json', ranges), qualityOf('application', 'problem+json', ranges));
  return qualityOf('text', 'html', ranges) > json;
}

const rangesMax = 50;

function toRange(text: string): MediaRange {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { range, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most specific range that names the type decides. */
function qualityOf(type: string, subtype: string, ranges: readonly MediaRange[]): number {
  for (const wanted of [`${type}/${subtype}`, `${type}/*`, '*/*']) {
    const found = ranges.find(({ range }) => range === wanted);
    if (found !== undefined) return found.quality;
  }
  return 0;
}
