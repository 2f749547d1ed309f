//! Given names and what people call those who bear them, in French and in English.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// One line per name: the full name, then its short and familiar forms and its sisters in the other language.
const TABLE: &str = "
abigail abby abbie gail
abraham abe bram
adelaide addie adele ada
adrien adrian
agnes aggie nessie
aime
alain alan allan allen al
albert al bert bertie
alexandre alexander alex alec alexis sandy xander sacha al
alexandra alex sandra sandy alexa lexie sacha
alexis alex
alfred al alf fred freddie freddy
alice ali
alison allison ali allie
alphonse al
amanda mandy
amelie amelia amy millie
anastasia stacy ana
andre andrew andy drew dre
andree andrea
angela angie
angelique angie angelica
anita annie
anne ann anna annie nan nancy hannah
annabelle annie belle bella
anthony antoine tony antonio ant
antoinette toni nettie
arnaud arnold arnie
arthur art artie
audrey aud
auguste gus augustus august
barbara barb barbie babs bobbie
bartholomew bart
beatrice bea trixie beatrix
benjamin ben benny benji benoit
benoit ben benedict
bernadette bernie
bernard bernie barney
bertrand bert
beverly bev
brandon brad
bradley brad
bridget brigitte bridie biddy
calvin cal
camille cam
cameron cam
carole carol caroline
caroline carol caro carrie lynn carolyn
cassandra cass cassie sandra
catherine kate cathy katherine kathy cat kathryn katie kitty kay katia katherine cate kat
cecile cecilia cecily cece
cedric ced
chantal chan
charles charlie chuck charley chas charly carl
charlotte charlie lottie lotte
christian chris
christiane chris
christine chris christy tina christina krista kristine kris chrissy
christophe christopher chris kit topher
clarence clare
claude
claudette claudie
claudia claudie
clement clem
clifford cliff
clinton clint
cynthia cindy
damien damian
daniel dan danny dany
danielle dany dani danny
david dave davy davey
deborah deb debbie debby debra
denis dennis den denny
denise
diane diana di
dominique dom dominic nick nico
donald don donny donnie
dorothee dorothy dot dottie dolly
douglas doug
edmond edmund ed eddie
edouard edward ed eddie eddy ted teddy ned
edith edie
edwin ed eddie
eleonore eleanor ellie nell nora ella lenore
elisabeth elizabeth eliza liz lizzie beth betty lise elsie betsy lisa libby elise babette bess
elaine helene
eloise lois
emile emil
emilie emily em emmy millie emilia
emmanuel manu manny
emmanuelle manu emma
emma em
eric rick ricky erik
ernest ernie
esther essie
etienne stephen steven
eugene gene
eugenie genie
eva eve evelyne evie
evelyne evelyn eve evie
fabien fab
fabrice fab
felix
ferdinand ferdie fernand
florence flo flora florie
francine fran
francis frank fran francois
francois frank frankie francis fran
francoise fran francine frances
frances fran fanny francie
franklin frank
frederic fred freddy frederick freddie rick fritz
frederique fred
gabriel gab gabe gaby
gabrielle gab gaby gabby brielle
gaetan gates
genevieve gen gene gigi ginny
georges george georgie
georgette georgie
gerald gerry jerry
geraldine gerry
gerard gerry
gertrude gert trudy gertie
gilbert gil bert gilles
giovanni john gio
gregoire gregory greg
guillaume will bill william guy
gustave gus gustav
guylaine guy
harold harry hal
harriet hattie
helene helen nell ellen lena nelly
henri henry hank harry
herbert herb bert
howard howie
hubert hub bert
hugues hugo hugh
ignace ignatius iggy
irene rene
isabelle isa isabel bella belle izzy isabella
jacob jake jack
jacqueline jackie jacquie
jacques jack jacob james jim
james jim jimmy jamie jaime
jane jeanne janet jenny
janet jan
janice jan
jason jay
jean john johnny jack jon
jean-baptiste jb
jean-claude jc
jean-francois jf jeff
jean-guy
jean-louis jl
jean-luc jl
jean-marc jm
jean-marie jm
jean-michel jm
jean-paul jp
jean-philippe jp jeep
jean-pierre jp
jean-sebastien js
jean-yves jy
jeanne jean joan jane
jeannette jean jeanne
jeffrey geoffrey jeff geoff geoffroy
jennifer jen jenny jenn
jeremie jeremy jerry jer jeremiah
jerome jerry
jessica jess jessie
joachim jo
joanne jo joan joanna johanne
jocelyn joss
jocelyne joss jo
joel joe
johanne joanne jo jojo
john jack johnny jon
jonathan jon jo john nathan
joseph joe jos joey jose
josee jo josie
josephine jo josie joey fifi
josiane josie jo
joshua josh
joyce joy
judith judy judi
julie jule juliette julia
julien jules julian
juliette julie jul juliet
justine
karen kari
karine karyne
kenneth ken kenny
kevin kev
kimberly kim
laurence laurie lo
laurent lawrence larry lauren laurie
laura laurie
leonard leo len lenny leon
leopold leo
leslie les
lewis lew louis
lillian lily lil lillie liliane
linda lynn
line lyne
lionel leo
loic
lorraine lori
louis lou lewis louie
louise lou lulu loulou
luc luke lucas
lucie lucy lou
lucien lou
ludovic ludo
lydia lydie
madeleine mado maddie madeline maddy madelyn lena
marcel marc
marcelle marcie
margaret marg maggie peggy meg marge margie greta daisy marguerite rita
marguerite margot margo rita maggie
marianne mary marie anne
marie mary molly mimi maria marion may
marie-andree
marie-claude mc
marie-eve meve eve
marie-france
marie-helene
marie-josee mj
marie-pier mp
marielle
marilyn mary lynn marilyne
mario
martin marty
martine
martha marty mattie marthe
mathieu matthieu matthew matt mat matte mathew
mathilde matilda tilly mattie
maurice moe morris
maxime max
maximilien max maximilian
maxwell max
melanie mel
melissa mel missy lissa
michael mike mick mickey mikey michel mitch
michel mike mich michael mitch
michele michelle mimi mich shelly
micheline mich mimi
mireille mimi
mitchell mitch
monique mo momo
morgan mo
nadine nad
nancy nan
natalie nathalie nat nath nata
nathan nat nate nathaniel
nathaniel nat nate nathan
nicholas nicolas nick nico nicky
nicole nic nicky nikki nico
noel
norman norm normand
normand norm norman
octave
olivia liv livvy olive
olivier oliver oli ollie
oscar
pamela pam
pascal
patrice pat patrick
patricia pat patty trish tricia patsy patti
patrick pat paddy patrice rick
paul paulo pauly
paula polly
paulette
pauline polly paula
peter pete pierre petey
penelope penny
philippe philip phil phillip pip
phyllis phyl
pierre pete peter pierrot
pierre-luc pl
prudence prue
rachel rach
ralph raoul
raphael raph rafael rafe
raphaelle raph
raymond ray
rebecca becky becca
regis reg
reginald reg reggie
rejean
remi remy
rene renny
renee
richard rick dick ricky rich rico richie
robert bob rob bobby robbie robby bert robin
roberta bobbie robbie
rodolphe rudolph rudy rodolfo
roderick rod rick
rodrigue rod rodney
roger rog
roland rolly rollie
ronald ron ronnie ronny
rosalie rose rosie
rose rosie rosa
roxanne roxy rox
russell russ rusty
ruth ruthie
samantha sam sammy
samuel sam sammy
sandra sandy
sara sarah sally sadie
sebastien seb sebastian bastien
serge sergio
sharon shari
shirley shirl
simone sim
simon sim
solange
sophie sophia soph sofia
stanislas stan stanley
stanley stan
stephane steph stefan stephen
stephanie steph stefanie
stephen steve steven stevie stephan stephane
steven steve stephen stevie
stuart stu stewart
susan sue susie suzanne susanna suzy
suzanne sue suzie suzy susan suzette
sylvain syl
sylvie syl sylvia
tamara tammy tam
terence terry terrence thierry
theodore ted teddy theo
therese theresa teresa terry tess tessa tracy
thierry terry
thomas tom tommy thom
timothee timothy tim timmy
tobias toby
ursula
valerie val
vanessa ness nessa
veronique vero veronica ronnie
victor vic
victoire victoria vicky tori vicki
victoria vicky vic tori vickie
vincent vince vinny vin
virginie virginia ginny gin
vivian viv viviane
walter walt wally
wendy gwendolyn gwen
wilfrid wilfred fred will
william bill will willy billy liam guillaume willie
winifred winnie
xavier xav
yolande yoyo
yvan ivan
yves ives
yvette yvonne
zachary zach zack zacharie
";

static GROUPS: LazyLock<FxHashMap<String, Vec<u16>>> = LazyLock::new(|| {
    let mut groups: FxHashMap<String, Vec<u16>> = FxHashMap::default();
    for (number, line) in TABLE.lines().filter(|line| !line.is_empty()).enumerate() {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        for name in line.split(' ') {
            let of = groups.entry(name.replace('-', " ")).or_default();
            if of.last() != Some(&number) {
                of.push(number);
            }
        }
    }
    groups
});

/// The numbers of the names that a folded given name may stand for.
pub fn groups_of(given: &str) -> &'static [u16] {
    GROUPS.get(given).map_or(&[], Vec::as_slice)
}

static HEADS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| TABLE.lines().filter_map(|line| line.split(' ').next()).filter(|head| !head.is_empty()).collect());

/// The full name that a given name most likely stands for; itself where the table does not know it.
pub fn root(given: &str) -> &str {
    let spelled = given.replace(' ', "-");
    let groups = groups_of(given);
    if groups.iter().any(|group| HEADS[usize::from(*group)] == spelled) {
        return given;
    }
    groups.first().map_or(given, |group| HEADS[usize::from(*group)])
}

/// Whether one may stand for the other.
pub fn related(one: &str, other: &str) -> bool {
    let (one, other) = (groups_of(one), groups_of(other));
    one.iter().any(|group| other.contains(group))
}

/// Whether a folded word is a given name that the table knows.
pub fn is_given(word: &str) -> bool {
    GROUPS.contains_key(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_nicknames() {
        let cases = [
            ("william", "bill", true),
            ("bill", "willy", true),
            ("guillaume", "will", true),
            ("robert", "bob", true),
            ("jean francois", "jf", true),
            ("elizabeth", "betty", true),
            ("catherine", "kathy", true),
            ("robert", "bill", false),
            ("marie", "claude", false),
            ("zebulon", "zeb", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(related(one, other), expected, "{one} {other}");
            assert_eq!(related(other, one), expected, "{other} {one}");
        }
    }
}
