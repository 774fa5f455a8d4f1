//! The digest of a folder's history.

use handoff::audit::{Digester, ReadError};
use handoff::brief::EventKind;

use super::world::{Blob, DELIVERED, Reader, World, all_done, at, event, folder, signed_brief};

#[test]
fn a_moved_folder_is_one_handoff_that_was_delivered_at_its_first_path() {
    let mut world = World::handed_over();
    world.rename(&folder("1"), "briefs/2026/12/acme-inc--hubspot-1", "2026-11-22T09:00:00Z");
    let handoffs = world.handoffs();
    assert_eq!(handoffs.len(), 1);
    let handoff = &handoffs[0];
    assert_eq!(handoff.folder(), "briefs/2026/12/acme-inc--hubspot-1");
    assert!(handoff.signed_at_tip && handoff.incidents().removed.is_none());
    assert_eq!(handoff.delivered.as_ref().expect("delivered").change.at, at(DELIVERED));
    assert_eq!(handoff.versions.len(), 1, "the move changed no brief");
    assert_eq!(handoff.events, World::handed_over().handoffs()[0].events);
}

#[test]
fn completeness_is_judged_with_the_brief_and_the_schema_as_they_were() {
    let mut world = World::handed_over();
    let commit = world.commit("2026-11-22T09:00:00Z");
    let schema = world.blob(Blob::Broken(ReadError::Content("a schema".to_owned())));
    world.history.schemas.push((commit, Some(schema)));
    assert_eq!(world.row("1").complete, Some(true), "the schema came later");
    world.history.schemas.insert(0, (0, Some(schema)));
    assert_eq!(world.row("1").complete, Some(false), "the schema was there");

    let mut world = World::handed_over();
    let mut emptied = signed_brief("1");
    emptied.complete = false;
    world.put(&folder("1"), "2026-11-22T09:00:00Z", Some(emptied), all_done());
    assert_eq!(world.row("1").complete, Some(true), "it was complete when it was delivered");
}

#[test]
fn a_version_that_is_no_brief_is_no_obstacle_and_an_object_that_is_not_there_is_a_gap() {
    let mut world = World::new();
    let path = folder("1");
    let broken = world.blob(Blob::Broken(ReadError::Content("no YAML".to_owned())));
    let commit = world.commit("2026-11-20T15:01:00Z");
    world.version(&path, commit, Some(broken), None);
    world.put(&path, DELIVERED, Some(signed_brief("1")), all_done());
    let digest = &world.digests()[0];
    assert_eq!(digest.delivered.as_ref().expect("delivered").change.at, at(DELIVERED));
    assert!(digest.incidents().unreadable.is_empty());

    world.blobs.remove(&broken);
    let digest = &world.digests()[0];
    assert_eq!(digest.delivered.as_ref().expect("delivered").change.at, at(DELIVERED));
    assert_eq!(
        digest.incidents().unreadable.len(),
        1,
        "what was in the first version nobody knows"
    );
}

#[test]
fn a_timeline_that_cannot_be_read_is_a_gap() {
    let mut world = World::handed_over();
    let broken = world.blob(Blob::Broken(ReadError::Content("line 2: no such event".to_owned())));
    let commit = world.commit("2026-11-22T09:00:00Z");
    let brief = world.last(&folder("1")).brief;
    world.version(&folder("1"), commit, brief, Some(broken));
    let report = world.audit();
    assert!(!report.complete);
    assert_eq!(report.gaps[0].what, format!("{}/timeline.yaml", folder("1")));
}

#[test]
fn a_folder_that_names_no_key_is_a_gap() {
    let mut world = World::new();
    let mut brief = signed_brief("1");
    brief.key = None;
    let blob = world.blob(Blob::Brief(Box::new(brief)));
    let commit = world.commit(DELIVERED);
    world.version("briefs/2026/11/acme", commit, Some(blob), None);
    assert_eq!(world.audit().gaps[0].what, "briefs/2026/11/acme");
}

#[test]
fn a_digest_survives_being_kept_and_depends_on_each_of_its_files() {
    let mut world = World::handed_over();
    let mut edited = signed_brief("1");
    edited.csm = None;
    world.put(
        &folder("1"),
        "2026-11-22T09:00:00Z",
        Some(edited),
        vec![event(EventKind::Touched, DELIVERED)],
    );
    let digester = Digester::new(&world.history);
    let folder = &world.history.folders[0];
    let digest = digester.digest(folder, &mut Reader(&world.blobs));
    let kept = digester.pack(folder, &digest).expect("everything could be read");
    assert_eq!(digester.unpack(folder, &kept).expect("reads back"), digest);
    for cut in 0..kept.len() {
        assert_eq!(digester.unpack(folder, &kept[..cut]), None, "cut at {cut}");
    }

    let fingerprint = digester.fingerprint(folder);
    for version in 0..folder.versions.len() {
        let mut other = folder.clone();
        other.versions[version].timeline = None;
        assert_ne!(digester.fingerprint(&other), fingerprint, "timeline {version}");
        let mut other = folder.clone();
        other.versions[version].brief = None;
        assert_ne!(digester.fingerprint(&other), fingerprint, "brief {version}");
    }
    let mut history = world.history.clone();
    history.schemas.push((0, Some(handoff::model::ObjectId([5; 20]))));
    assert_ne!(Digester::new(&history).fingerprint(folder), fingerprint, "the schema");
}

#[test]
fn what_could_not_be_read_is_not_kept() {
    let mut world = World::handed_over();
    let timeline = world.last(&folder("1")).timeline.expect("there is one");
    world.blobs.remove(&timeline);
    let digester = Digester::new(&world.history);
    let folder = &world.history.folders[0];
    let digest = digester.digest(folder, &mut Reader(&world.blobs));
    assert_eq!(digest.incidents().unreadable.len(), 1);
    assert_eq!(digester.pack(folder, &digest), None);
}
