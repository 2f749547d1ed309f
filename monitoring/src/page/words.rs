//! Every sentence of the page, in every language. A language that lacks one does not compile.

use crate::status::Status;

/// The words of one language.
pub(super) struct Words {
    pub title: &'static str,
    pub colon: &'static str,
    pub skip: &'static str,
    pub languages: &'static str,
    pub this_language: &'static str,
    pub since: &'static str,
    pub why: &'static str,
    pub now: &'static str,
    pub attention: &'static str,
    pub modules: &'static str,
    pub caption: &'static str,
    pub module: &'static str,
    pub state: &'static str,
    pub last_complete: &'static str,
    pub rows: &'static str,
    pub pending: &'static str,
    pub quarantined: &'static str,
    pub parked: &'static str,
    pub in_review: &'static str,
    pub approvals: &'static str,
    pub conflicts: &'static str,
    pub tasks: &'static str,
    pub last_failure: &'static str,
    pub run: &'static str,
    pub progress: &'static str,
    pub pages: &'static str,
    pub records: &'static str,
    pub decided: &'static str,
    pub none: &'static str,
    pub never: &'static str,
    pub about: &'static str,
    pub gap: &'static str,
    pub gap_fetched: &'static str,
    pub gap_claimed: &'static str,
    pub verified: &'static str,
    pub zone: &'static str,
    pub again: &'static str,
    pub away: &'static str,
    pub no_modules: &'static str,
    pub machines: &'static str,
    pub status: fn(Status) -> StatusWords,
}

/// What one status is called, means and asks for.
pub(super) struct StatusWords {
    /// One or two words beside the icon.
    pub label: &'static str,
    /// The verdict over all modules when this is the worst status.
    pub verdict: &'static str,
    /// Why a module has it.
    pub why: &'static str,
    /// What a person can do now.
    pub act: &'static str,
}

const fn of(
    label: &'static str,
    verdict: &'static str,
    why: &'static str,
    act: &'static str,
) -> StatusWords {
    StatusWords {
        label,
        verdict,
        why,
        act,
    }
}

pub(super) const ENGLISH: Words = Words {
    colon: ": ",
    title: "State of the data",
    skip: "Skip to the content",
    languages: "Language",
    this_language: "English",
    since: "Since",
    why: "Why",
    now: "What to do now",
    attention: "To look at",
    modules: "All modules",
    caption: "State, age and waiting records of each module",
    module: "Module",
    state: "State",
    last_complete: "Last complete run",
    rows: "Rows",
    pending: "Pending",
    quarantined: "Quarantined",
    parked: "Parked",
    in_review: "In review",
    approvals: "Approvals",
    conflicts: "Conflicts",
    tasks: "Tasks",
    last_failure: "Last failure",
    run: "run",
    progress: "Progress",
    pages: "pages",
    records: "records",
    decided: "decided",
    none: "none",
    never: "never",
    about: "about",
    gap: "The counts of the last run do not add up.",
    gap_fetched: "Fetched and not accounted for",
    gap_claimed: "Claimed and not accounted for",
    verified: "Verified",
    zone: "times of",
    again: "Check again",
    away: "The database does not answer, so nothing on the state of the data can be verified. \
           What was already brought in is not lost by this.",
    no_modules: "No module is configured.",
    machines: "For machines",
    status: english,
};

pub(super) const FRENCH: Words = Words {
    colon: "\u{a0}: ",
    title: "État des données",
    skip: "Aller au contenu",
    languages: "Langue",
    this_language: "Français",
    since: "Depuis",
    why: "Pourquoi",
    now: "Que faire maintenant",
    attention: "À surveiller",
    modules: "Tous les modules",
    caption: "État, fraîcheur et enregistrements en attente de chaque module",
    module: "Module",
    state: "État",
    last_complete: "Dernière exécution complète",
    rows: "Lignes",
    pending: "À traiter",
    quarantined: "Quarantaine",
    parked: "Sans parent",
    in_review: "À vérifier",
    approvals: "Approbations",
    conflicts: "Conflits",
    tasks: "Tâches",
    last_failure: "Dernier échec",
    run: "exécution",
    progress: "Avancement",
    pages: "pages",
    records: "enregistrements",
    decided: "décidés",
    none: "aucun",
    never: "jamais",
    about: "environ",
    gap: "Les comptes de la dernière exécution ne balancent pas.",
    gap_fetched: "Reçus et non justifiés",
    gap_claimed: "Pris en charge et non justifiés",
    verified: "Vérifié",
    zone: "heures de",
    again: "Vérifier de nouveau",
    away: "La base de données ne répond pas\u{a0}: rien ne peut être vérifié sur l’état des données. \
           Ce qui a déjà été reçu n’est pas perdu pour autant.",
    no_modules: "Aucun module n’est configuré.",
    machines: "Pour les machines",
    status: french,
};

fn english(status: Status) -> StatusWords {
    match status {
        Status::Ok => of(
            "Up to date",
            "Everything is up to date and complete",
            "The last run read everything and its counts add up.",
            "Nothing: no one has to act.",
        ),
        Status::OkQ => of(
            "Up to date, with exceptions",
            "Up to date, with some records set aside",
            "Everything was read; some records were set aside and are not in production yet.",
            "Look at the records that were set aside, today.",
        ),
        Status::Running => of(
            "Running",
            "A run is at work",
            "A run is at work and reports regularly.",
            "Nothing: wait for its end, then check again.",
        ),
        Status::Waiting => of(
            "Waiting",
            "Waiting for a source",
            "The source asked to be tried later, or wants a new sign-in.",
            "Nothing, if it is short: the next scheduled run tries again. If a sign-in is asked for, test the source.",
        ),
        Status::Never => of(
            "Never run",
            "Not every module has run yet",
            "No run was ever started for this module, so nothing is known of it.",
            "Start the first run.",
        ),
        Status::Late => of(
            "Late",
            "Some data is late",
            "No complete run for more than its period and half of it again.",
            "Check that the scheduler still starts the job, or start it by hand.",
        ),
        Status::Cancelled => of(
            "Cancelled",
            "A run was cancelled",
            "A person stopped the last run.",
            "Start it again when the reason is gone.",
        ),
        Status::Partial => of(
            "Incomplete",
            "Some data is incomplete",
            "A part was not read. Nothing was deleted because of it.",
            "Run it again today; if it stays incomplete, test the source.",
        ),
        Status::Blocked => of(
            "Decision required",
            "A decision is required",
            "A large or unusual change was held back before anything was written.",
            "Look at the change and approve or reject it.",
        ),
        Status::Stuck => of(
            "Stuck",
            "A run is stuck",
            "A run began, and its process stopped reporting: it was killed, or it hangs.",
            "Start it again: it goes on from its last page.",
        ),
        Status::Failed => of(
            "Failed",
            "A run failed",
            "The last run stopped with an error.",
            "Mend the cause, then start it again.",
        ),
        Status::Unknown => of(
            "Unknown",
            "The state is unknown",
            "Nothing could be verified.",
            "Let Concord examine itself, then check again.",
        ),
    }
}

fn french(status: Status) -> StatusWords {
    match status {
        Status::Ok => of(
            "À jour",
            "Tout est à jour et complet",
            "La dernière exécution a tout lu et ses comptes balancent.",
            "Rien\u{a0}: personne n’a à agir.",
        ),
        Status::OkQ => of(
            "À jour, avec écarts",
            "À jour, avec des enregistrements mis de côté",
            "Tout a été lu\u{202f}; certains enregistrements ont été mis de côté et ne sont pas encore en production.",
            "Examiner aujourd’hui les enregistrements mis de côté.",
        ),
        Status::Running => of(
            "En cours",
            "Une exécution est en cours",
            "Une exécution est en cours et donne régulièrement signe de vie.",
            "Rien\u{a0}: attendre la fin, puis vérifier de nouveau.",
        ),
        Status::Waiting => of(
            "En attente",
            "En attente d’une source",
            "La source demande de réessayer plus tard, ou exige une nouvelle connexion.",
            "Rien si l’attente est courte\u{a0}: la prochaine exécution prévue réessaiera. Si une connexion est exigée, tester la source.",
        ),
        Status::Never => of(
            "Jamais exécuté",
            "Certains modules n’ont jamais été exécutés",
            "Aucune exécution n’a été lancée pour ce module\u{a0}: on n’en sait rien.",
            "Lancer la première exécution.",
        ),
        Status::Late => of(
            "En retard",
            "Des données sont en retard",
            "Aucune exécution complète depuis plus d’une période et demie.",
            "Vérifier que le planificateur lance encore la tâche, ou la lancer à la main.",
        ),
        Status::Cancelled => of(
            "Annulé",
            "Une exécution a été annulée",
            "Une personne a arrêté la dernière exécution.",
            "La relancer quand la raison a disparu.",
        ),
        Status::Partial => of(
            "Incomplet",
            "Des données sont incomplètes",
            "Une partie n’a pas été lue. Rien n’a été supprimé pour cette raison.",
            "Relancer aujourd’hui\u{202f}; si cela reste incomplet, tester la source.",
        ),
        Status::Blocked => of(
            "Décision requise",
            "Une décision est requise",
            "Un changement important ou inhabituel a été retenu avant toute écriture.",
            "Examiner le changement, puis l’approuver ou le rejeter.",
        ),
        Status::Stuck => of(
            "Bloqué sans progrès",
            "Une exécution est bloquée",
            "Une exécution a commencé, puis son processus n’a plus donné signe de vie\u{a0}: il a été tué ou il est figé.",
            "La relancer\u{a0}: elle reprendra à sa dernière page.",
        ),
        Status::Failed => of(
            "Échec",
            "Une exécution a échoué",
            "La dernière exécution s’est arrêtée sur une erreur.",
            "Corriger la cause, puis relancer.",
        ),
        Status::Unknown => of(
            "Inconnu",
            "L’état est inconnu",
            "Rien n’a pu être vérifié.",
            "Laisser Concord s’examiner, puis vérifier de nouveau.",
        ),
    }
}
