/** Works on up to `parallel` items at once and gives the results in the order of the items; what is under way when it ends early is left to finish unheard. */
export async function* inOrder<T, U>(
  items: AsyncIterable<T>,
  work: (item: T) => Promise<U>,
  parallel: number,
): AsyncGenerator<U, undefined, undefined> {
  const underWay: Promise<U>[] = []
  for await (const item of items) {
    const result = work(item)
    // Its failure is thrown in its turn; until then it must not count as unhandled.
    result.catch(() => {})
    underWay.push(result)
    if (underWay.length >= parallel) yield await underWay.shift()!
  }
  for (const result of underWay) yield await result
}
