/** Of a day's orders, in the business hours and around them: the scaling guide's figure. */
const businessShare = 0.7;
const businessHours = { from: 9, to: 18 };

/** Orders booked in each of the 24 hours, their sum being `total`. */
export function ordersByHour(total: number): readonly number[] {
  const business = businessHours.to - businessHours.from;
  const shares = Array.from({ length: 24 }, (_, hour) =>
    hour >= businessHours.from && hour < businessHours.to
      ? businessShare / business
      : (1 - businessShare) / (24 - business),
  );
  const counts: number[] = [];
  let booked = 0;
  let due = 0;
  for (const share of shares) {
    due += share * total;
    const count = Math.round(due) - booked;
    counts.push(count);
    booked += count;
  }
  return counts;
}
