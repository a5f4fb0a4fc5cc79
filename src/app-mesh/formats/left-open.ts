/** What to do where files leave a parameter open: how a program gives it, and how the command line does. */
export const giveParameter = (name: string): string => `give it by \`parameters\`, { "${name}": "…" }, or by --param ${name}=…`

/** The same for a variable of Terraform, or what only an apply tells. */
export const giveVariable = (name: string): string => `give it by \`variables\`, { "${name}": … }, or by --var ${name}=…`
