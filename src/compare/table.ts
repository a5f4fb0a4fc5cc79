/** A table of texts: the head, then a line for each arrangement. */
export type Table = readonly (readonly string[])[]

/** Lines up cells for a terminal, the first column to the left, the others to the right. */
export const aligned = (table: Table): string => {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  return table.map(([first, ...others]) => [first!.padEnd(widths[0]!), ...others.map((cell, index) => cell.padStart(widths[index + 1]!))].join('   ')).join('\n')
}

/** The same for Markdown. */
export const markdown = ([head, ...lines]: Table): string => [head!, head!.map((_, column) => column === 0 ? '---' : '---:'), ...lines]
  .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
