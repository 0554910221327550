# shellcheck shell=sh
# What the READMEs name must be there: files, functions, flags, make's targets. Sourced by tests/run, which has the helpers.

# named README: each thing that it names, a line each: KIND TEXT. Kinds: link, word (between backquotes), make.
named() {
    awk '
        function word(w) {
            if (w ~ /^make [a-z]/) { split(w, target, " "); print "make " target[2] }
            else print "word " w
        }
        match($0, /^    (\$ )?make [a-z-]+/) { word(substr($0, index($0, "make"), RLENGTH - index($0, "make") + 1)) }
        {
            line = $0
            while (match(line, /\]\([^)]*\)/)) {
                print "link " substr(line, RSTART + 2, RLENGTH - 3)
                line = substr(line, RSTART + RLENGTH)
            }
            n = split($0, part, "`")
            for (i = 2; i < n; i += 2) word(part[i])
        }' "$1" | sort -u
}

# there README KIND TEXT: is it?
there() {
    dir=${1%/*} text=$3
    [ "$dir" != "$1" ] || dir=.
    case $2:$text in
    link:http*) return 0 ;;
    link:*) [ -e "$dir/${text%%#*}" ] ;;
    make:build/*) grep -qF -e "\$(B)/${text#build/}" Makefile ;;
    make:*) grep -q "^\($text\|[a-z -]* $text\)[ a-z-]*:" Makefile ;;
    word:--*) flag=${text%%[= ]*} && git grep -qF -e "\"${flag#--}" -e "$flag" -- ':!*.md' ;;
    word:*NAME*) return 0 ;;                                 # whatever it is called
    word:*[\ \<\>\{\}\$\;\|\"]*) return 0 ;;                           # a line of code, or of a shell
    word:build/*) grep -qF -e "\$(B)/${text#build/}" Makefile || git grep -qF -e "$text" -- ':!*.md' ;;
    word:*'()') git grep -qw -e "${text%??}" -- ':!*.md' ;;
    word:*'*'*) git ls-files -- "$text" "$dir/$text" | grep -q . ;;
    word:*/*) [ -e "$text" ] || [ -e "$dir/$text" ] || [ -e "${text%%:*}" ] || is_no_path "$text" "$dir" ;;
    word:.*) return 0 ;;                                     # an ending
    word:*.c | word:*.h | word:*.asm | word:*.def | word:*.awk | word:*.sh | word:*.gp | word:*.ld | word:*.inc)
        git ls-files | grep -q "\(^\|/\)$(echo "$text" | sed 's/[.]/\\./g')\$" ;;
    *) return 0 ;;
    esac
}

# Words with a slash that name no file of this tree: devices and files of Linux, "n/a", pairs of things, endings of another word.
is_no_path() {
    case $1 in
    /dev/* | /proc/* | /sys/* | n/a | .svg/.png) return 0 ;;
    *) ! [ -d "${1%%/*}" ] && ! [ -d "$2/${1%%/*}" ] ;;
    esac
}

test_readmes_name_what_is_there() {
    here=$PWD
    cd "$ROOT" || exit
    git ls-files '*.md' >"$here/readmes"
    [ "$(wc -l <"$here/readmes")" -ge 6 ] || fail "only $(wc -l <"$here/readmes") READMEs"
    while read -r readme; do
        named "$readme" | while read -r kind text; do
            there "$readme" "$kind" "$text" || echo "$readme: there is no $text ($kind)"
        done
    done <"$here/readmes" >"$here/missing"
    cd "$here" || exit
    [ ! -s missing ] || fail "$(head -n 3 missing | tr '\n' ';') all of it in $PWD/missing"
}

# Pictures: each that a README shows is there and will be in a clone; each handout has one, which says what it shows.
test_readmes_pictures_are_there() {
    for readme in $(cd "$ROOT" && git ls-files '*.md'); do
        [ -f "$ROOT/$readme" ] || continue
        sed -n 's/.*!\[[^]]*\](\([^)]*\)).*/\1/p' "$ROOT/$readme" | while read -r file; do
            file=$(dirname "$readme")/$file
            (cd "$ROOT" && git ls-files --error-unmatch "$file" >/dev/null 2>&1 && [ -s "$file" ]) || echo "$readme shows $file, which is not in the tree"
        done
        case $readme in labs/[0-9]*/README.md)
            grep -q '^!\[..*\](figure\.svg)$' "$ROOT/$readme" || echo "$readme shows no figure.svg"
            for part in viewBox '<title' '<desc'; do
                grep -q "$part" "$ROOT/${readme%/*}/figure.svg" || echo "${readme%/*}/figure.svg has no $part"
            done
        esac
    done >missing 2>&1
    [ ! -s missing ] || fail "$(head -n 3 missing | tr '\n' ';') all of it in $PWD/missing"
}

# Each line that a variant changes is still there.
test_variants_change_something() { sh "$ROOT/benchmarks/variants.sh" --check >said 2>&1 || fail "$(head -n 1 said)"; }

# What commands print and no run measures.
test_readmes_figures_are_current() {
    # shellcheck disable=SC2046
    sh "$ROOT/benchmarks/readme-figures.sh" --check $(cd "$ROOT" && git ls-files '*.md') >said 2>&1 || fail "$(tail -n 1 said)"
}
