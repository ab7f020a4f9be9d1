const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';

/**
 * An address as `local@domain` of RFC 5321 in ASCII, without the forms that programs read differently: quoted local parts,
 * comments, source routes, address literals, names in front. What cannot be read in two ways cannot smuggle a recipient.
 */
export const addressPattern = `^(?=.{3,254}$)(?=[^@]{1,64}@)${atom}(\\.${atom})*@(${label}\\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$`;

/** In lower case: what the permission `mail` is about. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
