/** A table of the package `apache-arrow` of any version, as far as it matters here. */
export interface ArrowTable {
  readonly batches: readonly unknown[]
  readonly schema: unknown
  getChild(name: string): unknown
}

/** The values of one column. `null` and `undefined`, and NaN among floats, mean missing. */
export type ColumnInput =
  | readonly (string | null | undefined)[]
  | readonly (number | null | undefined)[]
  | readonly (bigint | null | undefined)[]
  | readonly (boolean | null | undefined)[]
  | readonly (Date | null | undefined)[]
  | Float64Array
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/**
 * A frame coming in: columns by name, an array of row objects, the bytes of an
 * Arrow IPC stream or file, a Table of `apache-arrow`, or a `Frame` of an
 * earlier call. It is copied before the call returns; changing it later changes
 * nothing.
 *
 * For millions of rows prefer typed arrays or Arrow: arrays of strings are
 * encoded on the event loop's thread, about 0.1 s for each million.
 */
export type FrameInput =
  | { readonly [column: string]: ColumnInput }
  | readonly object[]
  | Uint8Array
  | ArrayBuffer
  | ArrowTable
  | Frame

/** The values of one column of a `Frame`. */
export type ColumnOutput = Float64Array | BigInt64Array | (string | null)[] | (boolean | null)[] | (bigint | null)[]

/** A cell of a row object. */
export type Cell = string | number | bigint | boolean | Date | null

/** A span of time: `"30d"`, `"12h"`, `"15m"`, `"90s"`, `"500ms"`, `"2w"`, or a number of days. */
export type Duration = string | number

/** What every long call takes. */
export interface RunOptions {
  /** Stops the work, running or queued; the promise rejects with `name: "AbortError"`, `code: "HW_CANCELLED"`. */
  signal?: AbortSignal
  /** Told about 20 times a second what is being done, how much is done of it, and the total (0 while unknown). */
  onProgress?: (stage: string, done: number, total: number) => void
  /** Threads to use; 0, the default, is one for each core. The result is the same for any number. */
  threads?: number
  /** Seed of everything random, 0 by default: runs repeat. */
  seed?: number | bigint
}

/** What to do with rows that cannot be used: refuse the frame (the default), or drop and count them. */
export type OnInvalid = 'error' | 'drop'

/** The kind of an error, the same in Python and Rust. */
export type ErrorCode =
  | 'HW_COLUMN'
  | 'HW_ROW'
  | 'HW_OPTION'
  | 'HW_NOT_CONVERGED'
  | 'HW_NOT_ENOUGH_DATA'
  | 'HW_MODEL_FILE'
  | 'HW_CANCELLED'
  | 'HW_IO'
  | 'HW_INTERNAL'

/** What went wrong, where, and what to do. */
export declare class HeadwaterError extends Error {
  /** The kind of error. */
  readonly code: ErrorCode
  /** The column that it is about. */
  readonly column?: string
  /** The first row that it is about, counted from 0. */
  readonly row?: number
  /** The option that it is about. */
  readonly option?: string
}

export interface Frame {
  /**
   * One column: numbers and whole numbers as Float64Array with NaN for missing,
   * times as Float64Array of milliseconds since the epoch (what `new Date()`
   * takes; microseconds are the fraction), whole numbers that a double cannot
   * hold as BigInt64Array, strings and booleans as arrays with `null` for missing.
   */
  column(name: string): ColumnOutput
  /** All columns by name. */
  columns(): Record<string, ColumnOutput>
  /** An array of row objects; times as `Date`, missing values as `null`. */
  toRows(): Record<string, Cell>[]
  /** A Table of the package `apache-arrow`, which must be installed beside this one. */
  toArrow<T extends ArrowTable = ArrowTable>(): T
  toString(): string
  toJSON(): Record<string, Cell>[]
  [Symbol.iterator](): IterableIterator<Record<string, Cell>>
}

export declare namespace simulate {
  /** One channel of a market, and what it truly does. */
  export interface ChannelOptions {
    /** The channel's name; unique, not empty. */
    name: string
    /** Tells the reader, changes nothing. Default `"paid"`. */
    kind?: 'paid' | 'organic'
    /** Touches per person in 30 days, on average, by chance alone. Default 0. */
    reach?: number
    /** Money for each touch. Default 0. */
    cost?: number
    /** Probability that one touch causes one order that would not have been. Default 0. */
    effect?: number
    /** Half-life of the delay from a touch to the order that it causes. Default `"2d"`. */
    carryOver?: Duration
    /** Probability that an order is preceded by a touch because the person means to buy. Default 0. */
    intent?: number
    /** Mean time from such a touch to its order. Default `"6h"`. */
    intentLead?: Duration
    /** Probability that a visit through another channel is followed by a touch of this one. Default 0. */
    follow?: number
    /** Mean time from the visit to the touch that follows it. Default `"2d"`. */
    followDelay?: Duration
    /** Whether a touch is a visit, where the person may log in; else an impression. Default true. */
    visit?: boolean
    /** Whether the channel reaches only people who have ordered. Default false. */
    customersOnly?: boolean
    /** Whether a touch carries the person's e-mail address. Default false. */
    knowsEmail?: boolean
    /** Number of campaigns; 0, the default, leaves the campaign empty. */
    campaigns?: number
  }

  /** How people buy when nothing makes them: BG/NBD for times, Gamma-Gamma for amounts. */
  export interface PurchaseProcess {
    /** Share of people who come to buy without being brought. Default 0.4. */
    buyers?: number
    /** Mean time from entering the market to the first order of a buyer. Default `"14d"`. */
    consideration?: Duration
    /** Shape of the Gamma distribution of the order rate. Default 0.8. */
    r?: number
    /** Its rate, in days. Default 32. */
    alpha?: number
    /** First parameter of the Beta distribution of the dropout probability. Default 1. */
    a?: number
    /** Its second parameter. Default 4. */
    b?: number
    /** Shape of a person's amounts. Default 6.25. */
    spendP?: number
    /** Shape of the distribution of the amounts' rate, above 1. Default 3.75. */
    spendQ?: number
    /** Rate of that distribution. Default 18. */
    spendGamma?: number
  }

  /** How people leave traces of who they are; probabilities but for `cookieLife`. */
  export interface IdentityBehaviour {
    /** A second device. Default 0.5. */
    secondDevice?: number
    /** A third, given two. Default 0.2. */
    thirdDevice?: number
    /** The shop's app on a device. Default 0.25. */
    app?: number
    /** Mean life of a cookie. Default `"90d"`. */
    cookieLife?: Duration
    /** A visit of a person with an account is logged in. Default 0.15. */
    login?: number
    /** An account is opened at the first visit. Default 0.1. */
    member?: number
    /** A second e-mail address. Default 0.1. */
    secondEmail?: number
    /** An order on the web leaves an e-mail address. Default 0.85. */
    orderEmail?: number
    /** An order on the web is made logged in. Default 0.5. */
    orderLogin?: number
    /** An order leaves a telephone number. Default 0.2. */
    orderPhone?: number
    /** An order is made in a store. Default 0.08. */
    store?: number
    /** A loyalty card. Default 0.6. */
    loyalty?: number
    /** Living with the next person. Default 0.35. */
    household?: number
    /** A household shares a device. Default 0.3. */
    sharedDevice?: number
    /** A visit of someone who shares a device is made on it. Default 0.2. */
    sharedUse?: number
  }

  /** A market; the options with their seed decide it wholly. */
  export interface MarketOptions {
    /** How many people there are. Default 10,000. */
    people?: number
    /** About how many touches there should be; decides `people` when given. */
    events?: number
    /** How many days are observed. Default 365. */
    days?: number
    /** How many days follow, to check forecasts. Default 90. */
    holdoutDays?: number
    /** The first day. Default `"2025-01-01"`. */
    start?: string | Date
    /** The channels. Eight by default. */
    channels?: ChannelOptions[]
    /** How alike people are in how much they are reached (shape of a Gamma distribution). Default 1.5. */
    activity?: number
    /** The purchase process. */
    purchases?: PurchaseProcess
    /** The identifiers. */
    identity?: IdentityBehaviour
    /** How many people one batch holds. Default 16,384; changes nothing but memory. */
    batchPeople?: number
  }

  /**
   * The same market as `market` gives, as a stream: one batch of people, each
   * whole, in memory at a time.
   */
  export function batches(options?: MarketOptions & RunOptions): AsyncGenerator<Market, void, void>
}

/**
 * A result: named columns of equal length.
 *
 * Pass it to the next call as it stands: nothing is converted between two
 * calls. `toRows()`, `column()` and `toArrow()` copy out.
 */
export declare class Frame {
  /** How many rows there are. */
  get rows(): number
  /** The columns' names, in order. */
  get columnNames(): Array<string>
  /** The frame as the bytes of an Arrow IPC stream, for any Arrow library. */
  toIPC(): Uint8Array
  /** The first rows, 10 unless told. */
  head(rows?: number | undefined | null): Frame
}

export declare namespace simulate {
  /** Makes a whole market in memory, in the order of time. */
  export function market(options?: MarketOptions & RunOptions): Promise<Market>
  /** A market, or a batch of one, as frames. */
  export interface Market {
    /** One row a touch: time, cookie, device, email, user_id, channel, campaign, cost. */
    events: Frame
    /** One row an order in the observed days: time, order_id, the identifiers, source, value. */
    orders: Frame
    /** What stitching takes: the identifiers of events and orders together, in the order of time. */
    records: Frame
    /** The orders of the days after the end. */
    holdout: Frame
    /** Truth, one row a person: rates, amounts, whether alive at the end, and what came. */
    people: Frame
    /** Truth: namespace, identifier, person; one row for each person who used the identifier. */
    truthPeople: Frame
    /** Truth beside `orders`: order_id, person, and the channel that caused it. */
    truthOrders: Frame
    /** Truth: what each channel caused and cost; of a stream, in the batches so far. */
    channels: Frame
    /** Truth: the sums; of a stream, over the batches so far. */
    totals: Frame
    /** The end of the observed days. */
    end: Date
  }
}
