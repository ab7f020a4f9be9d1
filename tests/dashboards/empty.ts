const nothingCalledOut =
  'the payments are the embedded sandbox, and no partner has a webhook: nothing leaves the platform';
const nothingFailed = 'nothing fails in this run: game day makes it fail';

/** Panels with nothing to show in that run as a rule, by dashboard and id, and why. */
export const empty: Readonly<Record<string, string>> = {
  'returnit-api 13': nothingCalledOut,
  'returnit-api 14': nothingCalledOut,
  'returnit-budgets 8': nothingCalledOut,
  'returnit-database 11': nothingFailed,
  'returnit-database 20': 'there is no replica',
  'returnit-jobs 9': 'dead letters are taken out by ops, and there are none',
  'returnit-plugins 3': nothingFailed,
  'returnit-business 6': 'compares days: it takes a week',
};
