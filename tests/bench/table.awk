# Medians of the measured runs, one line per label in the order of their first run, and each rate as a
# share of the slower floor: bare fetching with pages of the same size, or bare COPY.
BEGIN { FS = "\t" }

{
    if (!($1 in runs)) order[++labels] = $1
    run = ++runs[$1]
    count[$1] = $2
    for (column = 3; column <= 6; column++) value[$1, column, run] = $column
}

function median(label, column,    sorted, number, i, j, swap) {
    if (value[label, column, 1] == "-") return "-"
    number = runs[label]
    for (i = 1; i <= number; i++) sorted[i] = value[label, column, i] + 0
    for (i = 2; i <= number; i++)
        for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
            swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
        }
    return number % 2 ? sorted[(number + 1) / 2] : (sorted[number / 2] + sorted[number / 2 + 1]) / 2
}

function rate(label) { return median(label, 3) > 0 ? count[label] / median(label, 3) : 0 }

function floor_of(label,    size, fetch, copy) {
    if (label !~ /: /) return 0
    size = label
    sub(/^.*pages of /, "", size)
    sub(/:.*$/, "", size)
    fetch = rate("bare fetch, pages of " size)
    copy = rate("bare COPY")
    return fetch < copy ? fetch : copy
}

END {
    printf "%-62s %9s %11s %8s %9s %9s %9s\n", "", "seconds", "records/s", "of floor", "CPU s", "peak MiB", "server MiB"
    for (i = 1; i <= labels; i++) {
        label = order[i]
        least = floor_of(label)
        share = least > 0 ? sprintf("%d %%", 100 * rate(label) / least) : ""
        printf "%-62s %9.2f %11d %8s %9s %9s %9s\n", label, median(label, 3), rate(label), share,
            median(label, 4), median(label, 5), median(label, 6)
    }
}
