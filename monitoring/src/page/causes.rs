//! Causes of runs in French, found by the words that each of them always has.

/// The steps of a run.
const STEPS: [(&str, &str); 2] = [
    ("fetch and stage", "lecture et réception"),
    (
        "reconcile and promote",
        "rapprochement et mise en production",
    ),
];

/// Words of a cause, and what it says. What is not here stays English.
const CAUSES: [(&str, &str); 22] = [
    (
        "the source could not be reached",
        "La source est injoignable, ou la connexion a été coupée. La prochaine exécution réessaiera\u{202f}; si cela dure, vérifier l’adresse et le réseau.",
    ),
    (
        "TLS certificate or version was not accepted",
        "Le certificat TLS de la source, ou sa version de TLS, n’a pas été accepté. Demander à son exploitant de le renouveler, ou corriger le nom d’hôte.",
    ),
    (
        "no complete answer within",
        "La source n’a pas répondu à temps. La prochaine exécution réessaiera\u{202f}; une page plus petite ou un délai plus long aide si cela dure.",
    ),
    (
        "the source is not working properly",
        "La source ne fonctionne pas correctement. La prochaine exécution réessaiera\u{202f}; si cela dure, en parler à son exploitant.",
    ),
    (
        "the source failed while answering",
        "La source a échoué en répondant. Cela peut passer\u{202f}; si la prochaine exécution échoue aussi, réduire la taille des pages et le signaler à son exploitant.",
    ),
    (
        "the source asks to slow down",
        "La source demande de ralentir. La prochaine exécution reprendra ici\u{202f}; réduire la cadence si cela arrive souvent.",
    ),
    (
        "the source refused the credentials",
        "La source a refusé les identifiants. Renouveler la clé, ou se connecter de nouveau.",
    ),
    (
        "no usable access token",
        "Aucun jeton d’accès utilisable. Se connecter de nouveau à la source.",
    ),
    (
        "the source refused the request",
        "La source a refusé la demande. Vérifier l’adresse et ce que le compte peut lire.",
    ),
    (
        "the source refused the query",
        "La source a refusé la requête. Corriger la requête du module\u{202f}; «\u{a0}concord module check\u{a0}» la compare au schéma.",
    ),
    (
        "does not take the cursor",
        "La source n’accepte plus le curseur de reprise. La prochaine exécution relira depuis le début.",
    ),
    (
        "Correct the paths in the module's `fetch` part",
        "La réponse n’a pas la forme attendue. Corriger les chemins du module ou sa requête.",
    ),
    (
        "leads back to the cursor",
        "La source tourne en rond\u{a0}: une page renvoie à une page déjà lue. Le signaler à son exploitant.",
    ),
    (
        "The source left",
        "Il manque des données dans la réponse de la source. Rien n’a été tenu pour supprimé\u{202f}; la prochaine exécution relira.",
    ),
    (
        "The source says it has",
        "Le nombre d’enregistrements reçus n’est pas celui que la source annonce. Rien n’a été tenu pour supprimé\u{202f}; la prochaine exécution relira.",
    ),
    (
        "This run would",
        "Le changement dépasse ce qui est permis en une fois\u{202f}; rien n’a été changé. L’examiner, puis l’approuver ou corriger la source.",
    ),
    (
        "`concord quarantine list`",
        "Des enregistrements ont été mis de côté.",
    ),
    (
        "The counts do not add up",
        "Les comptes ne balancent pas. C’est un défaut de Concord\u{a0}: le signaler avec cette ligne.",
    ),
    (
        "The process ended before the run did",
        "Le processus s’est terminé avant l’exécution (tué, ou panne de courant). La prochaine exécution reprend à la dernière page.",
    ),
    (
        "asked the program to end",
        "Une personne ou le système a demandé l’arrêt. La prochaine exécution reprend à la dernière page.",
    ),
    (
        "was taken by another process",
        "Un autre processus a pris le relais pendant que celui-ci dormait\u{202f}; celui-ci n’a plus rien changé.",
    ),
    (
        "Staging stopped",
        "La réception s’est arrêtée sur une erreur de la base de données.",
    ),
];

/// What the text says, in French.
pub(super) fn in_french(text: &str) -> Option<&'static str> {
    let step = STEPS.iter().find(|(step, _)| *step == text);
    let cause = || CAUSES.iter().find(|(words, _)| text.contains(words));
    step.or_else(cause).map(|(_, french)| *french)
}

/// Whether the text is the name of a step.
pub(super) fn is_step(text: &str) -> bool {
    STEPS.iter().any(|(step, _)| *step == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_by_their_words_and_strangers_are_left() {
        let cases = [
            (
                "Asking `gazelle` for page 3 of clients (6 tries): the source could not be reached, or the connection broke.",
                Some("La source est injoignable"),
            ),
            (
                "The source left 2 holes (first: {\"path\":\"a\"}).",
                Some("Il manque des données"),
            ),
            (
                "This run would change 11 of 14 rows (78.6 %, allowed 50 %).",
                Some("Le changement dépasse"),
            ),
            ("fetch and stage", Some("lecture")),
            ("Something nobody foresaw.", None),
        ];
        for (text, expected) in cases {
            let french = in_french(text);
            assert_eq!(french.is_some(), expected.is_some(), "{text}");
            assert!(
                french.unwrap_or("").starts_with(expected.unwrap_or("")),
                "{text}"
            );
        }
    }
}
