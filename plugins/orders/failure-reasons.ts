/** Why parcels could not be picked up. */
export const failureReasons = [
  'nobody_home',
  'not_ready',
  'refused',
  'wrong_address',
  'no_access',
  'too_large',
  'damaged',
  'other',
] as const;
