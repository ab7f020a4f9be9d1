import { settings } from '#core/config/settings.ts';
import { nearestName } from '#core/plugin-host/manifest/edit-distance.ts';
import { ok, warning, type Finding } from './finding.ts';

/** Shorter ones are near to many. */
const nameLengthMin = 6;

/** Wrong values have been refused by then; what is left are variables that nobody reads. */
export function checkConfiguration(variables: readonly string[]): readonly Finding[] {
  const known = Object.values(settings).map(({ variable }) => variable);
  const names = variables.filter((name) => name.length >= nameLengthMin && !known.includes(name));
  const findings = names.flatMap((name) => {
    const near = nearestName(name, known);
    // The same letters but for one: `HTTP_PROXY` is not meant as `HTTP_PORT`.
    if (near === undefined || sharedLetters(name, near) < Math.max(name.length, near.length) - 1) return [];
    return [warning('configuration', `${name} is no setting`, `If ${near} is meant, call it so.`)];
  });
  if (findings.length > 0) return findings;
  const set = known.filter((name) => variables.includes(name)).length;
  return [ok('configuration', `${set} of ${known.length} settings are set, the others have their defaults`)];
}

/** Those that stand in both, in whatever order. */
function sharedLetters(a: string, b: string): number {
  const left = b.split('');
  let shared = 0;
  for (const letter of a) {
    const place = left.indexOf(letter);
    if (place === -1) continue;
    left.splice(place, 1);
    shared += 1;
  }
  return shared;
}
