/** More than any expression has. Where its stack ends, the parser does not answer any more, to nobody in the process. */
const deepest = 500

/** Brackets take more of the stack than operators. */
const perBracket = 5

const marks = /\\.|\$\$\{|%%\{|[$%]\{|#|\/[/*]|["([{}\])\n,]|[-+*/%!?:<>=&|.]/g

/** How deep a text of Terraform's language goes so far, bracket by bracket. */
class Nesting {
  depth = 0
  /** What is open, and how many operators the item in it has. */
  readonly #open: { readonly by: string, operators: number }[] = [{ by: '', operators: 0 }]

  get innermost(): string {
    return this.#open.at(-1)!.by
  }

  open(by: string): void {
    this.#open.push({ by, operators: 0 })
    this.depth += perBracket
  }

  close(): void {
    if (this.#open.length === 1) return
    this.nextItem()
    this.#open.pop()
    this.depth -= perBracket
  }

  operator(): void {
    this.#open.at(-1)!.operators++
    this.depth++
  }

  nextItem(): void {
    const innermost = this.#open.at(-1)!
    this.depth -= innermost.operators
    innermost.operators = 0
  }
}

/** Whether brackets and operators are nested too deep in a text of Terraform's language: `((1))`, `!!true`, `1 + 1 + 1`. */
export const tooDeep = (text: string): boolean => {
  const nesting = new Nesting()
  for (marks.lastIndex = 0; ;) {
    const mark = marks.exec(text)?.[0]
    if (mark === undefined) return false
    if (nesting.innermost === '"') inQuotes(nesting, mark)
    else if (mark === '#' || mark === '//' || mark === '/*') marks.lastIndex = endOfComment(text, mark, marks.lastIndex)
    else count(nesting, mark)
    if (nesting.depth > deepest) return true
  }
}

const endOfComment = (text: string, mark: string, from: number): number => {
  const end = text.indexOf(mark === '/*' ? '*/' : '\n', from)
  return end < 0 ? text.length : end
}

const inQuotes = (nesting: Nesting, mark: string): void => {
  if (mark === '"' || mark === '\n') nesting.close()
  else if (mark === '${' || mark === '%{') nesting.open(mark)
}

const count = (nesting: Nesting, mark: string): void => {
  if (['"', '(', '[', '{', '${', '%{'].includes(mark)) nesting.open(mark)
  else if ([')', ']', '}'].includes(mark)) nesting.close()
  // Within brackets of other kinds an expression goes on in the next line.
  else if (mark === ',' || (mark === '\n' && ['', '{'].includes(nesting.innermost))) nesting.nextItem()
  else if (mark !== '\n' && mark.length === 1) nesting.operator()
}
