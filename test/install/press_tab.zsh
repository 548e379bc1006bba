# press_tab.zsh FOLDER WORDS: prints what is on the line after WORDS and Tab were typed into an interactive zsh, in a terminal
# of its own, which looks for completions in FOLDER too. Waits for ever if nothing is completed.
zmodload zsh/zpty
zpty shell env TERM=dumb zsh -f -i
# The prompt says that keys are read one by one. The quotes within it keep the terminal's echo of this line from being
# taken for it.
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; PS1=rea''dy"
zpty -r -m shell said '*ready*'
zpty -w -n shell "$2"$'\t'
zpty -r -m shell said "*$2?* "
print -r -- $2${said##*$2}
