use super::*;

fn answered(arn: &str, user_id: &str) -> Result<Identity, IdentityError> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let caller = serde_json::json!({"Account": account, "Arn": arn, "UserId": user_id});
    let answer = serde_json::json!({
        "GetCallerIdentityResponse": {
            "GetCallerIdentityResult": caller,
            "ResponseMetadata": {"RequestId": "0"},
        }
    });
    Identity::from_json(answer.to_string().as_bytes())
}

fn session(arn: &str) -> Identity {
    answered(arn, "AROAEXAMPLE:session").unwrap()
}

fn role(arn: &str) -> RoleArn {
    arn.parse().unwrap()
}

#[test]
fn a_session_is_known_by_its_role() {
    let arn = "arn:aws:sts::111122223333:assumed-role/app/app-7f9@x";
    let identity = answered(arn, "AROAEXAMPLE:app-7f9@x").unwrap();
    assert_eq!(identity.account, "111122223333");
    assert_eq!(identity.arn, arn);
    assert_eq!(identity.user_id, "AROAEXAMPLE");
    assert_eq!(identity.session_name.as_deref(), Some("app-7f9@x"));
    assert_eq!(identity.canonical_arn, "arn:aws:iam::111122223333:role/app");
    assert_eq!(identity.name(), "app");
}

#[test]
fn users_root_and_federated_users_stay_as_they_are() {
    for (arn, user_id, principal) in [
        (
            "arn:aws:iam::111122223333:root",
            "111122223333",
            Principal::Root,
        ),
        (
            "arn:aws:iam::111122223333:user/team/Bob",
            "AIDAEXAMPLE",
            Principal::User,
        ),
        (
            "arn:aws:sts::111122223333:federated-user/Bob",
            "111122223333:Bob",
            Principal::FederatedUser,
        ),
    ] {
        let identity = answered(arn, user_id).unwrap();
        assert_eq!(identity.principal, principal);
        assert_eq!(identity.canonical_arn, arn);
        assert_eq!(identity.user_id, user_id);
        assert_eq!(identity.session_name, None);
    }
}

#[test]
fn whom_the_authenticator_refuses_is_refused_in_its_words() {
    for (arn, text) in [
        ("", "arn '' is invalid: 'arn: invalid prefix'"),
        ("arn", "arn 'arn' is invalid: 'arn: invalid prefix'"),
        (
            "nope:aws:iam::1:root",
            "arn 'nope:aws:iam::1:root' is invalid: 'arn: invalid prefix'",
        ),
        (
            "arn:aws:iam::1",
            "arn 'arn:aws:iam::1' is invalid: 'arn: not enough sections'",
        ),
        (
            "arn:moon:iam::1:root",
            "arn 'arn:moon:iam::1:root' does not have a recognized partition",
        ),
        (
            "arn:aws:sts::1:assumed-role/app",
            "assumed-role arn 'arn:aws:sts::1:assumed-role/app' does not have a role",
        ),
        (
            "arn:aws:sts::1:session/app",
            "unrecognized resource session/app for service sts",
        ),
        (
            "arn:aws:iam::1:group/app",
            "unrecognized resource group/app for service iam",
        ),
        (
            "arn:aws:s3:::bucket",
            "service s3 in arn arn:aws:s3:::bucket is not a valid service for identities",
        ),
    ] {
        let said = answered(arn, "AROA:s").unwrap_err().to_string();
        assert_eq!(said, format!("sts getCallerIdentity failed: {text}"));
    }
    for user_id in ["AROAEXAMPLE", "AROA:a:b", ""] {
        let said = answered("arn:aws:sts::1:assumed-role/app/s", user_id).unwrap_err();
        assert_eq!(said, IdentityError::UserId(user_id.into()));
        assert!(
            said.to_string()
                .ends_with(&format!("malformed UserID \"{user_id}\""))
        );
    }
}

#[test]
fn what_is_no_answer_of_sts_names_nobody() {
    for body in [
        "",
        "{}",
        "<GetCallerIdentityResponse/>",
        r#"{"Arn":"arn:aws:iam::1:root"}"#,
    ] {
        let answer = Identity::from_json(body.as_bytes());
        assert!(matches!(answer, Err(IdentityError::Garbled(_))), "{body}");
    }
    let escape = answered("arn:aws:sts::1:assumed-role/app/\u{1b}[2J", "AROA:s");
    assert!(matches!(escape, Err(IdentityError::Garbled(_))));
}

#[test]
fn an_aws_auth_entry_has_no_path_and_no_session() {
    for partition in crate::partition::PARTITIONS {
        let name = partition.name;
        let (key, entry) = session(&format!(
            "arn:{name}:sts::111122223333:assumed-role/team/app/s"
        ))
        .aws_auth_entry();
        assert_eq!(key, "mapRoles");
        assert_eq!(
            entry,
            format!(
                "- rolearn: arn:{name}:iam::111122223333:role/app\n  username: \"app:{{{{SessionName}}}}\"\n  groups:\n  - RBAC_GROUP\n"
            )
        );
    }
    let user = answered("arn:aws:iam::111122223333:user/team/Bob", "AIDA").unwrap();
    assert_eq!(
        user.aws_auth_entry(),
        (
            "mapUsers",
            "- userarn: arn:aws:iam::111122223333:user/team/Bob\n  username: \"Bob\"\n  groups:\n  - RBAC_GROUP\n".into()
        )
    );
}

#[test]
fn an_access_entry_has_the_path_where_it_is_known() {
    let identity = session("arn:aws-cn:sts::111122223333:assumed-role/app/s");
    let known = role("arn:aws-cn:iam::111122223333:role/team/a/app");
    let region: Region = "cn-north-1".parse().unwrap();
    assert_eq!(
        identity
            .access_entry_commands("demo", Some(&region), Some(&known))
            .unwrap(),
        "aws eks create-access-entry --region cn-north-1 --cluster-name demo --principal-arn arn:aws-cn:iam::111122223333:role/team/a/app \
         --kubernetes-groups RBAC_GROUP\n\
         aws eks associate-access-policy --region cn-north-1 --cluster-name demo --principal-arn arn:aws-cn:iam::111122223333:role/team/a/app \
         --policy-arn arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster\n"
    );
    // Another role is no help.
    for other in [
        "arn:aws-cn:iam::111122223333:role/team/other",
        "arn:aws-cn:iam::444455556666:role/team/app",
        "arn:aws:iam::111122223333:role/team/app",
    ] {
        let commands = identity
            .access_entry_commands("demo", Some(&region), Some(&role(other)))
            .unwrap();
        assert!(
            commands.starts_with("# If the role has a path"),
            "{commands}"
        );
        assert!(commands.contains("--principal-arn arn:aws-cn:iam::111122223333:role/app "));
    }
}

#[test]
fn no_access_entry_is_made_for_whom_there_can_be_none() {
    for arn in [
        "arn:aws:iam::111122223333:root",
        "arn:aws:sts::111122223333:federated-user/Bob",
    ] {
        let identity = answered(arn, "111122223333").unwrap();
        assert_eq!(identity.access_entry_commands("demo", None, None), None);
    }
    let user = answered("arn:aws:iam::111122223333:user/team/Bob", "AIDA").unwrap();
    let region: Region = "eu-west-1".parse().unwrap();
    let commands = user.access_entry_commands("demo", Some(&region), None);
    let commands = commands.unwrap();
    assert!(commands.contains("--principal-arn arn:aws:iam::111122223333:user/team/Bob"));
    assert!(!commands.contains('#'));
    // Where nobody knows the region, the shell's own would be taken without a word.
    let commands = user.access_entry_commands("demo", None, None).unwrap();
    assert!(
        commands.starts_with("# Without --region they go to the AWS CLI's own"),
        "{commands}"
    );
    assert_eq!(commands.matches("--region").count(), 1, "{commands}");
}

#[test]
fn a_session_that_sts_was_not_asked_about_is_the_one_that_it_would_have_told() {
    for role in [
        "arn:aws:iam::111122223333:role/app",
        "arn:aws-cn:iam::111122223333:role/team/of/app",
    ] {
        let role: RoleArn = role.parse().unwrap();
        let guessed = Identity::of_session(&role, Some("app-0")).unwrap();
        let body = format!(
            r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{{"Account":"111122223333","Arn":"{}","UserId":"AROA1:app-0"}}}}}}"#,
            guessed.arn
        );
        let told = Identity::from_json(body.as_bytes()).unwrap();
        let guessed = Identity {
            user_id: told.user_id.clone(),
            ..guessed
        };
        assert_eq!(guessed, told);
        assert!(guessed.is_session_of(&role));
        // No session's name is made up, and what lets it in is the same.
        let unnamed = Identity::of_session(&role, None).unwrap();
        assert_eq!(unnamed.arn, role.as_str());
        assert_eq!(unnamed.session_name, None);
        assert_eq!(unnamed.aws_auth_entry(), told.aws_auth_entry());
        assert!(unnamed.is_session_of(&role));
    }
}
