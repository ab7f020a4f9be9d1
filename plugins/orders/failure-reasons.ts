/** Why parcels could not be picked up by who was there. */
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

/** And because nobody was there: the window is over and no driver was found. */
export const noDriver = 'no_driver';
