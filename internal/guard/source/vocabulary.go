package source

import "strings"

// Op is what an assertion asks of its subject.
type Op string

// The operations, with the strength that weakening is measured by in Strength.
const (
	Equal     Op = "equal"
	Snapshot  Op = "snapshot"
	Null      Op = "null"
	Length    Op = "length"
	Approx    Op = "approximately"
	Contains  Op = "contains"
	Compare   Op = "compares"
	Type      Op = "has type"
	True      Op = "true"
	False     Op = "false"
	NotEqual  Op = "not equal"
	NotNull   Op = "not null"
	Throws    Op = "throws"
	NoThrow   Op = "does not throw"
	Called    Op = "called"
	NotCalled Op = "not called"
	Lacks     Op = "does not contain"
	Fails     Op = "fails"
	Custom    Op = "custom"
)

// strength orders what operations ask for: a smaller number asks for less of the same subject.
var strength = map[Op]int{
	Equal: 10, Snapshot: 10, Null: 10, Fails: 10, Length: 7, Approx: 8, Contains: 6, Compare: 5, Type: 4,
	True: 5, False: 5, NotEqual: 3, NotNull: 2, Throws: 5, NoThrow: 5, Called: 4, NotCalled: 4, Lacks: 5, Custom: 9,
}

// vocabulary maps the words of assertion libraries, without their prefixes, to operations.
var vocabulary = makeVocabulary(map[Op]string{
	Equal: "equal equals eq eql same sameas equalto equaltos strictequal strictlyequal strictequals deepequal deepstrictequal deepeq deepequals equalvalues exactly exactvalue exactequal jsoneq yamleq " +
		"identical identicalto equivalent equivalentto elementsmatch containsexactly containsexactlyinanyorder containsexactlyelementsof containexactly matcharray countequal itemsequal listequal dictequal setequal " +
		"tupleequal sequenceequal multilineequal xmlequal arrayequal arrayequals arraysequal iterableequals linesmatch equalscanonicalizing equalsignoringcase jsonstringequalsjsonstring output line " +
		"be shouldbe tobe isexactly areequal aresame areequivalent contentequals sequenceequals statusis status valueequal eqo equalsto bodyequals havestatus json jsonpath assertobjectequals text tohavetext havetext havevalue tohavevalue equalexportedvalues ofequal deepequals resembles equalexactly equalerror eqerror hasmessage withmessage havemessage iszero zero shouldequal empty emptystring beempty isblank blank success failure redirect",
	Snapshot: "matchsnapshot matchinlinesnapshot matchesapproved snapshot matchjson matchesjson goldenequal golden tomatchimagesnapshot throwerrormatchingsnapshot throwerrormatchinginlinesnapshot",
	Null:     "null nil none undefined absent isnil isnone nullorempty",
	Length:   "len length lengthof size count ofsize ofcount havesize hassize hascount havecount havelength haslength lengthis",
	Approx:   "closeto close almostequal almostequals indelta inepsilon approx approximately approximatelyequal equalwithdelta equalswithdelta allclose isclose bewithin relativeeq absdiffeq arrayalmostequal approximatelyequalto indeltaslice numclose beapproximately",
	Contains: "contain contains in include includes including subset subsetof containall containinorder hasitem hasitems hasentry key haskey havekey haveproperty property arraycontaining objectcontaining matchobject like match matches regex regexp regexpmatches " +
		"startswith endwith startwith endswith stringcontaining stringcontainsstring stringmatching partialoutput partial memberof oneof anyof arrayhaskey hasattribute haveattribute containstext containtext havebodycontaining errorcontains stringcontains everyitem containsall",
	Compare:   "greater greaterthan greaterorequal greaterequal greaterthanorequal greaterthanorequalto greateroreq above atleast less lessthan lessequal lessorequal lessthanorequal lessthanorequalto below atmost between positive negative inrange isafter isbefore numerically gt lt gte lte ge le most least",
	Type:      "instance instanceof isinstance isa kindof type typeof assignablefrom bea bean implements exacttype instanceofequal ofexacttype beoftype assignableto kind",
	True:      "true truthy assertok beok ok",
	False:     "false falsy falsey",
	NotNull:   "defined exist exists present issome some nonnull nonnil nonempty inthedocument visible",
	Throws:    "throw throws raise raises raiseerror raisesregex raisesregexp raisesmessage throwsexactly threw throwerror rejects rejected rejectedwith tothrow occurred haveoccurred error errors errorsis errorsas erroris erroras iserr panics panicswithvalue panicswitherror exception expectexception exceptionmessage throwsasync throwsany catchthrowable unprocessable throwsexception failswith throwswith expectexceptionmessage throwsexceptionoftype",
	NoThrow:   "noerror nothrow donotthrow succeed isok errorfree nilerror noerr nothrowexception ifexception",
	Called:    "called calledonce calledtimes calledwith calledoncewith calledoncewithexactly calledwithmatch calledwithexactly lastcalledwith nthcalledwith anycall hascalls received receivedonce havereceived invoked beencalled beencalledwith beencalledtimes beencalledonce awaited awaitedonce awaitedwith calledexactlyonce expectations expectationsmet numberofcalls emitted returned returnedwith",
	NotCalled: "notcalled notbeencalled numberofcallszero didnotreceive neverinteractions nomoreinteractions nointeractions",
	NotEqual:  "ne noteq unequal differs",
	Fails:     "fail flunk failnow unreachable",
})

func makeVocabulary(lists map[Op]string) map[string]Op {
	m := map[string]Op{}
	for op, list := range lists {
		for _, w := range strings.Fields(list) {
			m[w] = op
		}
	}
	return m
}

var opposites = map[Op]Op{
	Equal: NotEqual, NotEqual: Equal, Null: NotNull, NotNull: Null, True: False, False: True, Throws: NoThrow, NoThrow: Throws,
	Called: NotCalled, NotCalled: Called, Contains: Lacks, Lacks: Contains, Snapshot: NotEqual, Length: NotEqual, Approx: NotEqual,
}

// negate returns what an operation becomes under "not".
func negate(op Op) Op {
	if o, ok := opposites[op]; ok {
		return o
	}
	return op
}

// Opposite reports whether one operation is the other under "not".
func Opposite(a, b Op) bool {
	return a != b && (opposites[a] == b || opposites[b] == a) && !(a == Snapshot || b == Snapshot || a == Approx || b == Approx || a == Length || b == Length)
}

var strippable = []string{"assert", "expect", "should", "must", "verify", "require", "ensure", "check", "debugassert", "to", "be", "is", "are", "has", "have", "does", "do", "with", "that", "an", "a"}
var negators = []string{"refute", "not", "wont", "never", "no"}

// fold writes a name as the vocabulary does: lower case, no underscores.
func fold(name string) string {
	name = strings.TrimRight(name, "!?")
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// lookup finds the operation that a name speaks of; an assertion library's prefixes are taken off one by one.
func lookup(name string) (Op, bool) {
	s := fold(name)
	if len(s) > 60 {
		return "", false
	}
	return lookupFolded(s, 0)
}

func lookupFolded(s string, depth int) (Op, bool) {
	if op, ok := vocabulary[s]; ok {
		return op, true
	}
	if depth > 5 || s == "" {
		return "", false
	}
	for _, p := range strippable {
		if rest, ok := strings.CutPrefix(s, p); ok && rest != "" {
			if op, ok := lookupFolded(rest, depth+1); ok {
				return op, true
			}
		}
	}
	for _, p := range negators {
		if rest, ok := strings.CutPrefix(s, p); ok && rest != "" {
			if op, ok := lookupFolded(rest, depth+1); ok {
				return negate(op), true
			}
		}
	}
	return "", false
}

// assertish reports whether a function's name says that it checks something.
func assertish(name string) bool {
	s := fold(name)
	for _, p := range []string{"assert", "refute", "expect", "verify", "debugassert", "shouldbe", "should", "mustequal", "mustbe", "ensure", "require"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.HasPrefix(s, "check") && len(s) > 5
}

// library are names that belong to languages and to libraries of assertions.
var library = wordSet(`t tb self this assert require expect it is to be not that should must have has and or in of with true false True False
	null nil None undefined new await async return const let var val def if else lambda func function fn
	Assert Assertions Expect verify static Is Has Does $this do end Some Ok Err eq ne gt lt ge le shouldBe should_not to_not not_to deep class approx pytest`)

// noise are names that say little about what is checked: used only where there is no other.
var noise = wordSet(`b f a an len length size String str int float64 args kwargs i j k err error got want expected actual result res out x y g c s unwrap clone Value value get into as ref mut`)

func wordSet(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}
