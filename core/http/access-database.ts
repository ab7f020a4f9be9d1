/** What keys and limits need of a database: the composition hands it in, with its errors as AppErrors. */
export interface AccessDatabase {
  /** @throws {AppError} DATABASE_UNREACHABLE, DATABASE_ERROR, OVERLOADED */
  query(query: {
    readonly name: string;
    readonly text: string;
    readonly values: unknown[];
  }): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}
