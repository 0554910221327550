# The labs: the handed-out trees build without a warning and score nothing, with the reference put back they score everything, and
# students' usual mistakes (tests/labs/) cost what they should and are told by name. Sourced by tests/run.

unset MAKEFLAGS MFLAGS MAKELEVEL            # they run make, under make

# lab_tree LAB: ./tree, with the objects of the sources that are the same already built.
lab_tree()
{
    (cd "$ROOT" && sh labs/make-lab "$1" "$OLDPWD/tree") >made 2>&1 || fail "make lab: $(cat made)"
    mkdir tree/build
    for part in obj guests guests-pv bare include offsets packages.ok .gitignore; do
        [ ! -e "$ROOT/build/$part" ] || cp -a "$ROOT/build/$part" tree/build/
    done
}

# score WANT: of ./tree. "make grade" there, with a seed of its own.
score()
{
    (cd tree && sh labs/grade) >graded 2>&1
    [ "$(sed -n 's/^Score: \([0-9]*\/[0-9]*\) .*/\1/p' graded)" = "$1" ] || fail "not $1: $PWD/graded"
    ! grep -q 'warning:' tree/build/grade/build.log || fail "it builds with warnings: $PWD/tree/build/grade/build.log"
}

# put_back: what the student should have written.
put_back()
{
    while read -r file; do
        case $file in
        answers.md) awk '{ print } /^## / { print "\nOne two three four five six seven eight nine ten.\n" }' "$ROOT"/labs/"$1"-*/answers.md >tree/answers.md ;;
        table.txt) (cd "$ROOT" && make -s build/labs/ring0 build/labs/ring3 build/labs/classify && sh labs/1-*/measure | build/labs/classify) >tree/table.txt ;;
        predictions.txt) cp "$ROOT/tests/labs/predictions.txt" tree/predictions.txt ;;
        build/*) ;;                                             # made below
        *) cp "$ROOT/$file" "tree/$file" ;;                     # now, so that make sees it
        esac
    done <"$(echo "$ROOT"/labs/"$1"-*/edit)"
    [ "$1" != 8 ] || (cd tree && make -s bench QUICK=1 FILTER=cli-sti ENGINES="host trap-emulate binary-translation paravirt" && make -s slides TITLE=Four AUTHOR=Me) >measured 2>&1
}

# nothing_left LAB: no line of a region stands in the tree's copy of its file, but as often as it does outside of regions.
nothing_left()
{
    regions=0
    for file in $(cd "$ROOT" && grep -rlE --exclude-dir=build --include="*.[ch]" --include="*.asm" --include="*.inc" "(/\*|;) LAB $1\.[0-9]+:" .); do
        regions=$((regions + 1))
        awk -v lab="$1" -v file="$file" '
            function asm() { return file ~ /\.(asm|inc)$/ }
            side == 1 { there[$0]++; next }
            inside && $0 ~ "END " lab "\\.[0-9]" { inside = 0 }
            inside == 1 && asm() && !/^ *;/ { inside = 2 }
            inside == 2 && NF { region[$0]++ }
            inside != 2 { outside[$0]++ }
            $0 ~ "LAB " lab "\\.[0-9]+:" { inside = 1 }
            inside == 1 && !asm() && /\*\// { inside = 2 }
            END { for (line in region) { if (there[line] > outside[line]) print line; n++ }; if (!n) print "(no region is found in " file ")" }
            ' side=1 "tree/$file" side=2 "$ROOT/$file"
    done >left
    [ ! -s left ] || fail "left in the tree: $(head -n 1 left)"
    case $1 in [2-7]) [ $regions -gt 0 ] || fail "there is no region of lab $1" ;; esac
    [ ! -e tree/.git ] && [ ! -e tree/labs/INSTRUCTOR.md ] && [ ! -e tree/tests/labs ] || fail "history, or the instructor's files, in the tree"
}

# Labs 1 and 7 are for any host; the others' VMMs run the guest's code directly.
runs_here()
{
    case $1 in 1 | 7) return ;; esac
    status=0
    "$ROOT/build/trap-emulate" -kernel "$ROOT/build/guests/kernel.elf" -append run=race >transcript 2>stderr </dev/null || status=$?
    [ $status -ne 6 ]
}
must_run_lab() { runs_here "$1" || cannot "$(head -n 1 stderr)"; }

lab()
{
    lab_tree "$1"
    nothing_left "$1"
    score 0/100
    put_back "$1"
    if runs_here "$1"; then
        score 100/100
    else                                                    # of what is left nothing fails
        (cd tree && sh labs/grade) >graded 2>&1
        ! grep -Eq ' (failed|timeout)  *[0-9]+/' graded || fail "more than what this host cannot run: $PWD/graded"
        must_run_lab "$1"
    fi
    rm -rf tree
}

test_lab_1() { lab 1; }
test_lab_2() { lab 2; }
test_lab_3() { lab 3; }
test_lab_4() { lab 4; }
test_lab_5() { lab 5; }
test_lab_6() { lab 6; }
test_lab_7() { lab 7; }
test_lab_8() { lab 8; }

# Each mistake is a file: "# lab 2 | 90 | a hint's first words", "# file NAME", then a sed script for that file.
mistakes()
{
    must_run_lab "$1"
    for mistake in "$ROOT/tests/labs/$1"-*; do
        (
            name=${mistake##*/}
            mkdir "$name" && cd "$name" || exit
            points=$(sed -n '1s/^[^|]*| *\([0-9]*\) .*/\1/p' "$mistake") hint=$(sed -n '1s/^[^|]*|[^|]*| *//p' "$mistake")
            lab_tree "$1"
            put_back "$1"
            file=$(sed -n '2s/^# file //p' "$mistake")
            cp "tree/$file" right
            sed -f "$mistake" right >"tree/$file"
            ! cmp -s right "tree/$file" || { echo "$name changes nothing"; exit; }
            (cd tree && sh labs/grade --time=0.5) >graded 2>&1
            grep -q "^Score: $points/100" graded || echo "$name: $(tail -n 1 graded), not $points: $PWD/graded"
            grep -qF "$hint" graded || echo "$name: no hint \"$hint\": $PWD/graded"
            rm -rf tree
        )
    done >why 2>&1
    [ ! -s why ] || fail "$(head -n 1 why)"
}

test_lab_1_mistakes() { mistakes 1; }
test_lab_2_mistakes() { mistakes 2; }
test_lab_3_mistakes() { mistakes 3; }
test_lab_4_mistakes() { mistakes 4; }
test_lab_5_mistakes() { mistakes 5; }
test_lab_6_mistakes() { mistakes 6; }
test_lab_7_mistakes() { mistakes 7; }
test_lab_8_mistakes() { mistakes 8; }

# said COMMAND FILE: it prints the lines of FILE, one at least, in this order; "..." is anything, and other lines may stand between.
said()
{
    [ -s "$2" ] || { echo "the handout does not show what \`$1\` prints"; return; }
    # shellcheck disable=SC2086
    (cd tree && sh -c "$1") >output 2>&1 </dev/null || true
    awk -v command="$1" '
        function pattern(s) { gsub(/[][\\.^$*+?(){}|\/]/, "\\\\&", s); gsub(/\\\.\\\.\\\./, ".*", s); gsub(/ +/, " +", s); return s }
        side == 1 { want[++n] = $0; next }
        k < n && $0 ~ ("^ *" pattern(want[k + 1]) " *$") { k++ }
        END { if (k < n) print "`" command "` does not print: " want[k + 1] }' side=1 "$2" side=2 output
}

# The commands of a handout, as it shows them: those below a comment that says so in the tree as it is handed out, the others when all
# is written.
handout()
{
    must_run_lab "$1"
    lab_tree "$1"
    for state in begin end; do
        [ $state = begin ] || { put_back "$1" && (cd tree && . labs/"$1"-*/needs && make -s $BUILD) >built 2>&1; }
        awk -v state=$state '
            /^<!-- lab: in the tree as it is handed out -->$/ { first = 1 }
            /^    \$ / { if (first == (state == "begin")) { print substr($0, 7); inside = 1; next } }
            inside && /^    / { print "> " substr($0, 5); next }
            !/^    / && inside { inside = 0; first = 0 }
            !/^    / && NF && !/^<!--/ { first = 0 }' "$ROOT"/labs/"$1"-*/README.md >commands
        : >lines
        command=''
        while IFS= read -r line; do
            case $line in
            '> '*) echo "${line#> }" >>lines ;;
            *)
                [ -z "$command" ] || said "$command" lines
                command=$line
                : >lines
                ;;
            esac
        done <commands >>why
        [ -z "$command" ] || said "$command" lines >>why
    done
    [ ! -s why ] || fail "$(head -n 1 why)"
    rm -rf tree
}

test_lab_1_handout() { handout 1; }
test_lab_2_handout() { handout 2; }
test_lab_3_handout() { handout 3; }
test_lab_4_handout() { handout 4; }
test_lab_5_handout() { handout 5; }
test_lab_6_handout() { handout 6; }
test_lab_7_handout() { handout 7; }
test_lab_8_handout() { handout 8; }

# A class with hostile students in it: the good one loses nothing, and nothing outside their sandboxes is touched or read.
test_lab_class()
{
    must_run_lab 2
    for tool in bwrap parallel; do command -v $tool >where || skip "$tool is not installed (make packages-labs)"; done
    evil='static bool do_cli(struct machine \*m, const struct insn \*insn)'
    for student in good bomb flood vandal spy; do
        for file in $(cat "$ROOT"/labs/2-*/edit); do
            mkdir -p "class/$student/$(dirname "$file")"
            [ "$file" = answers.md ] || cp "$ROOT/$file" "class/$student/$file"
        done
        case $student in
        bomb) code='for (;;) fork();' header=unistd.h ;;
        flood) code='for (;;) puts("PROBE race-section PASS");' header=stdio.h ;;
        vandal) code="system(\"rm -rf $PWD/class .. /tmp/*; touch $PWD/was-here\");" header=stdlib.h ;;
        spy) sed -i "1i #include \"$ROOT/machine/emulate.c\"" "class/$student/machine/emulate.c" && continue ;;
        *) continue ;;
        esac
        sed -i "/^$evil\$/{i #include <$header>
            n;a $code
            }" "class/$student/machine/emulate.c"
        grep -qF "$code" "class/$student/machine/emulate.c" || fail "the $student does nothing"
    done
    TIME=0.2 sh "$ROOT/labs/grade-all" 2 "$PWD/class.csv" class/good class/bomb class/flood class/vandal class/spy >said 2>&1 || fail "$(tail -n 1 said)"
    grep -q '^good,95,100,' class.csv || fail "the good one: $(grep '^good' class.csv)"
    [ "$(wc -l <class.csv)" -eq 6 ] || fail "not five lines in $PWD/class.csv"
    for student in bomb flood vandal; do
        grep -Eq "^$student,[0-7]?[0-9],100," class.csv || fail "$(grep "^$student" class.csv)"
    done
    grep -q '^spy,0,100,' class.csv || fail "the spy read the reference: $(grep '^spy' class.csv)"
    [ ! -e was-here ] && [ -d class/good ] || fail "the vandal was outside"
}

# In grade-all's sandbox a submission of what is right loses nothing either, in any lab.
test_lab_class_of_each()
{
    for tool in bwrap parallel; do command -v $tool >where || skip "$tool is not installed (make packages-labs)"; done
    for lab in 1 7 3 4 5 6 8; do
        must_run_lab $lab
        rm -rf tree
        lab_tree $lab
        put_back $lab
        while read -r file; do
            mkdir -p "right/$(dirname "$file")" && cp "tree/$file" "right/$file" || fail "no $file of lab $lab"
        done <"$(echo "$ROOT"/labs/$lab-*/edit)"
        mkdir linked && ln -s "$ROOT"/* linked
        sh "$ROOT/labs/grade-all" $lab "$PWD/class.csv" right linked >said 2>&1 || fail "$(tail -n 1 said)"
        grep -q '^right,100,100,' class.csv || fail "lab $lab: $(grep '^right' class.csv); $PWD/class.csv.d"
        grep -q '^linked,0,100,' class.csv || fail "lab $lab: $(grep '^linked' class.csv): files that are not theirs"
        rm -rf right linked
    done
    rm -rf tree
}

# JSON, whatever a verdict says.
test_lab_verdicts_are_json()
{
    mkdir -p graded/1
    printf 'a\\d "q"\tx\n' >graded/1/why
    echo '4|10|100|3|7' >graded/score
    printf '%s\n' '1|failed|10|5|step \1 "x"|0' >graded/results
    for format in gradescope github; do
        sh "$ROOT/labs/grade-print" $format graded >$format
        grep -qF '"name": "step \\1 \"x\""' $format && grep -qF '"a\\d \"q\"\tx\n"' $format || fail "$PWD/$format"
    done
}

# What a host cannot give is told, with its reason once.
test_lab_skips_are_told()
{
    mkdir -p graded/1 graded/2
    for test in 1 2; do echo "trap-emulate: this host cannot run it: no segments" >graded/$test/skip; done
    echo '4|5|100|3|7' >graded/score
    printf '%s\n' '1|skipped|10|5|one|0' '2|skipped|85|5|two|0' '3|passed|5|5|three|5' >graded/results
    sh "$ROOT/labs/grade-print" text graded >text
    [ "$(grep -c 'no segments' text)" -eq 1 ] && grep -q '^ *For the same reason as test 1\.$' text || fail "not the reason once: $PWD/text"
    grep -q '^Score: 5/100 in lab 4; points skipped, which this host cannot give: 95 (' text || fail "not how many points: $PWD/text"
    for format in gradescope github; do
        sh "$ROOT/labs/grade-print" $format graded >$format
        grep -q '"skipped: trap-emulate: this host cannot run it: no segments' $format || fail "no reason: $PWD/$format"
    done
}

# Every stop of the tour is there, ten for each.
test_lab_tour()
{
    (cd "$ROOT" && sh labs/tour) >tour 2>why || fail "$(head -n 1 why)"
    [ "$(grep -c ':[0-9]' tour)" -eq 50 ] || fail "not five times ten stops: $PWD/tour"
}
