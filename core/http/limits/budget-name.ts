/** What a partner may have so much of in a day. */
export const budgetNames = ['requests', 'orders'] as const;
export type BudgetName = (typeof budgetNames)[number];
